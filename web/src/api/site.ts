import { useQuery } from '@tanstack/react-query'
import { get } from './client'
import type { Site } from './types/stats'

/** How the page is called, also for who is not signed in. */
export const useSite = () =>
  useQuery({ queryKey: ['site'], queryFn: () => get<Site>('/web/api/site'), retry: false }).data
