import { Button, Group, Textarea } from '@mantine/core'
import { useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ask } from '@/api/client'
import type { AccountTestDone } from '@/api/types/accounts'
import { duration } from '@/parts/format'
import { Section } from '@/parts/PageHead'
import { State } from '@/parts/State'
import { useProblem } from '@/parts/States'

/** Events of a stream, one after another. */
async function* events(body: ReadableStream<Uint8Array>) {
  const decoder = new TextDecoder()
  let rest = ''
  const reader = body.getReader()
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    rest += decoder.decode(part.value, { stream: true })
    const blocks = rest.split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const line = (name: string) =>
        block
          .split('\n')
          .filter((it) => it.startsWith(`${name}:`))
          .map((it) => it.slice(name.length + 1).trimStart())
          .join('\n')
      if (line('data')) yield { name: line('event'), data: JSON.parse(line('data')) }
    }
  }
}

/** Asks an account something and shows the answer as it comes; nothing of it is kept. */
export function Test({ id }: { id: string }) {
  const { t } = useTranslation('accounts')
  const problem = useProblem()
  const [prompt, setPrompt] = useState('')
  const [text, setText] = useState('')
  const [done, setDone] = useState<AccountTestDone | null>(null)
  const [wrong, setWrong] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const ending = useRef<AbortController | null>(null)
  const run = async () => {
    ending.current = new AbortController()
    setBusy(true)
    setText('')
    setDone(null)
    setWrong(null)
    try {
      const asked = prompt.trim() ? { prompt: prompt.trim() } : {}
      const response = await ask('POST', `/admin/accounts/${id}/test`, asked, {
        signal: ending.current.signal,
      })
      if (!response.body) return
      for await (const { name, data } of events(response.body)) {
        if (name === 'text') setText((before) => before + data.text)
        if (name === 'done') setDone(data)
        if (name === 'error') setWrong(data.error?.message ?? data.words ?? '')
      }
    } catch (error) {
      if (!ending.current.signal.aborted) setWrong(problem(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Section title={t('test')}>
      <p className="quiet">{t('testText')}</p>
      <Textarea
        aria-label={t('prompt')}
        placeholder={t('prompt')}
        autosize
        minRows={1}
        maxRows={6}
        value={prompt}
        onChange={(event) => setPrompt(event.currentTarget.value)}
      />
      <Group mt={8} gap={8}>
        <Button variant="default" onClick={run} loading={busy}>
          {t('runTest')}
        </Button>
        {busy ? (
          <Button variant="subtle" color="gray" onClick={() => ending.current?.abort()}>
            {t('stopTest')}
          </Button>
        ) : null}
      </Group>
      <div aria-live="polite">
        {text ? <p>{text}</p> : null}
        {wrong ? <State kind="failing">{wrong}</State> : null}
        {done ? (
          <State
            kind={done.verdict === 'works' ? 'able' : 'failing'}
            more={[done.model, duration(done.millis)].filter(Boolean).join(' · ')}
          >
            {done.words}
          </State>
        ) : null}
      </div>
    </Section>
  )
}
