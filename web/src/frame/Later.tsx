import { Notifications } from '@mantine/notifications'
import '@mantine/notifications/styles.layer.css'
import { Jump } from './Jump'

/** What nobody sees at first: it comes after the page, so that the page comes sooner. */
export default function Later(props: { jumps: boolean; onJumped: () => void }) {
  return (
    <>
      <Jump {...props} />
      <Notifications position="bottom-right" />
    </>
  )
}
