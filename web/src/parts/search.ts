import { useNavigate, useSearch } from '@tanstack/react-router'

type Value = string | number | undefined

/** What a page shows, kept in its address, so that Back and a copied link work. */
export function useInAddress<T extends Record<string, Value>>(defaults: T) {
  const search = useSearch({ strict: false }) as Record<string, Value>
  const navigate = useNavigate()
  const values = { ...defaults, ...search } as T & Record<string, Value>
  const set = (change: Partial<Record<string, Value>>, replace = false) => {
    const next: Record<string, Value> = { ...search, ...change }
    for (const name of Object.keys(next)) {
      if (next[name] === '' || next[name] === undefined || next[name] === defaults[name])
        delete next[name]
    }
    navigate({ to: '.', search: next as never, replace })
  }
  return [values, set] as const
}
