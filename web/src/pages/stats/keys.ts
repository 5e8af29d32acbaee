import { useState } from 'react'

const KEPT = 'crs-holder-keys'
/** Keys that are looked at together. */
const KEYS_MAX = 20

function kept(): string[] {
  try {
    const read: unknown = JSON.parse(sessionStorage.getItem(KEPT) ?? '[]')
    return Array.isArray(read) ? read.filter((it) => typeof it === 'string') : []
  } catch {
    return []
  }
}

/** The keys that are looked at: they stay with this tab, and go with it. */
export function useHeldKeys() {
  const [keys, setKeys] = useState(kept)
  const set = (next: string[]) => {
    const few = next.slice(-KEYS_MAX)
    sessionStorage.setItem(KEPT, JSON.stringify(few))
    setKeys(few)
  }
  return {
    keys,
    add: (key: string) => set([...keys.filter((it) => it !== key), key]),
    forget: (key: string) => set(keys.filter((it) => it !== key)),
  }
}
