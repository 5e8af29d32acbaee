import { keepPreviousData, QueryClient, useQuery } from '@tanstack/react-query'
import { ApiError, get, type Query } from './client'

/** What was asked stays as it is until the relay tells of a change, or half a minute has passed. */
export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      refetchOnWindowFocus: true,
      retry: (count, error) =>
        count < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
    },
  },
})

/** Reads an address; its first word is what a change of such things makes stale. */
export function useRead<T>(subject: string, path: string, query: Query = {}, enabled = true) {
  return useQuery<T, ApiError>({
    queryKey: [subject, path, query],
    queryFn: () => get<T>(path, query),
    placeholderData: keepPreviousData,
    enabled,
  })
}

/** Makes what was read of these stale. */
export const refresh = (...subjects: string[]) =>
  Promise.all(subjects.map((subject) => queries.invalidateQueries({ queryKey: [subject] })))
