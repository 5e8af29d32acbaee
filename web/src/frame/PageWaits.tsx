import { Skeleton, Stack } from '@mantine/core'

/** In the place of a page that is being loaded. */
export function PageWaits() {
  return (
    <Stack gap={16} aria-busy="true">
      <Skeleton height={28} width={220} />
      <Skeleton height={320} />
    </Stack>
  )
}
