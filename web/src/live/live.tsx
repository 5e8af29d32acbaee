import { createContext, type ReactNode, useContext, useEffect, useState } from 'react'
import { refresh } from '@/api/queries'
import { sessionEnded } from '@/api/session'

/** What the relay tells by itself, at most once a second. */
export interface Live {
  calls_open: number
  accounts: { able: number; resting: number; failing: number; paused: number }
  calls_per_minute: number[]
  tokens_per_minute: number[]
  finished: { calls: number; failed: number }
}

const Figures = createContext<Live | null>(null)
const Connected = createContext(true)

/** What is happening now; `null` before the first word of it. */
export const useLive = () => useContext(Figures)

/** Whether the relay is being listened to. */
export const useIsLive = () => useContext(Connected)

/** Listens to the relay, and makes stale what it says was edited. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const [live, setLive] = useState<Live | null>(null)
  const [connected, setConnected] = useState(true)
  useEffect(() => {
    const source = new EventSource('/admin/live')
    source.addEventListener('open', () => setConnected(true))
    source.addEventListener('error', () => {
      setConnected(false)
      // A browser does not try again after a refusal.
      if (source.readyState === EventSource.CLOSED) sessionEndedIfSo()
    })
    source.addEventListener('state', (event) => setLive(JSON.parse((event as MessageEvent).data)))
    source.addEventListener('changed', (event) => {
      refresh(JSON.parse((event as MessageEvent).data).subject)
    })
    return () => source.close()
  }, [])
  return (
    <Connected.Provider value={connected}>
      <Figures.Provider value={live}>{children}</Figures.Provider>
    </Connected.Provider>
  )
}

async function sessionEndedIfSo() {
  const response = await fetch('/admin/session').catch(() => null)
  if (response?.status === 401) sessionEnded()
}
