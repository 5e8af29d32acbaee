import { createContext, type ReactNode, useContext, useEffect, useState } from 'react'
import { queries, refresh } from '@/api/queries'
import { sessionEnded } from '@/api/session'

/** What the relay tells by itself, at most once a second. */
export interface Live {
  calls_open: number
  accounts: { able: number; resting: number; failing: number; paused: number }
  calls_per_minute: number[]
  tokens_per_minute: number[]
  finished: { calls: number; failed: number }
}

const AGAIN_MILLIS = 5_000

const Figures = createContext<Live | null>(null)
const Connected = createContext(true)

/** What is happening now; `null` before the first word of it. */
export const useLive = () => useContext(Figures)

/** Whether the relay is being listened to. */
export const useIsLive = () => useContext(Connected)

interface Ears {
  onState: (live: Live) => void
  onConnected: (connected: boolean) => void
}

/** Listens until the function that it gives is called. */
function listen({ onState, onConnected }: Ears): () => void {
  let source: EventSource
  let timer: number | undefined
  let lost = false
  const told = <T,>(event: Event) => JSON.parse((event as MessageEvent<string>).data) as T
  const open = () => {
    source = new EventSource('/admin/live')
    source.addEventListener('open', () => {
      onConnected(true)
      // What was edited meanwhile was not told.
      if (lost) void queries.invalidateQueries()
      lost = false
    })
    source.addEventListener('error', () => {
      lost = true
      onConnected(false)
      // A browser tries again by itself, but not after a refusal.
      if (source.readyState !== EventSource.CLOSED) return
      void endIfSignedOut()
      timer = window.setTimeout(open, AGAIN_MILLIS)
    })
    source.addEventListener('state', (event) => onState(told<Live>(event)))
    source.addEventListener('changed', (event) => {
      void refresh(told<{ subject: string }>(event).subject)
    })
  }
  open()
  return () => {
    window.clearTimeout(timer)
    source.close()
  }
}

/** Listens to the relay, and makes stale what it says was edited. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const [live, setLive] = useState<Live | null>(null)
  const [connected, setConnected] = useState(true)
  useEffect(() => listen({ onState: setLive, onConnected: setConnected }), [])
  return (
    <Connected.Provider value={connected}>
      <Figures.Provider value={live}>{children}</Figures.Provider>
    </Connected.Provider>
  )
}

async function endIfSignedOut() {
  const response = await fetch('/admin/session').catch(() => null)
  if (response?.status === 401) sessionEnded()
}
