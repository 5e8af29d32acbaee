/** Clients that can be set up by copying. */
export const CLIENTS = ['claude-code', 'codex', 'gemini-cli', 'cherry-studio'] as const
export type Client = (typeof CLIENTS)[number]

/** Where lines are typed. */
export const SHELLS = ['bash', 'powershell', 'cmd'] as const
export type Shell = (typeof SHELLS)[number]

/** A piece to copy: lines for a shell, or a file. */
export interface Piece {
  /** The file that it goes into; without one, lines for the shell. */
  file?: string
  text: string
}

function environment(shell: Shell, pairs: [string, string][]): string {
  const line = ([name, value]: [string, string]) => {
    if (shell === 'powershell') return `$env:${name} = "${value}"`
    if (shell === 'cmd') return `set ${name}=${value}`
    return `export ${name}="${value}"`
  }
  return pairs.map(line).join('\n')
}

const home = (shell: Shell, path: string) =>
  shell === 'bash'
    ? `~/${path}`
    : shell === 'powershell'
      ? `$HOME\\${path.replaceAll('/', '\\')}`
      : `%USERPROFILE%\\${path.replaceAll('/', '\\')}`

/** What is to be typed or written so that a client calls the relay at `base` with `key`. */
export function settingsOf(client: Client, shell: Shell, base: string, key: string): Piece[] {
  switch (client) {
    case 'claude-code':
      return [
        {
          text: `${environment(shell, [
            ['ANTHROPIC_BASE_URL', `${base}/api`],
            ['ANTHROPIC_AUTH_TOKEN', key],
          ])}\nclaude`,
        },
      ]
    case 'codex':
      return [
        {
          file: home(shell, '.codex/config.toml'),
          text: [
            'model_provider = "crs"',
            '',
            '[model_providers.crs]',
            'name = "crs"',
            `base_url = "${base}/openai"`,
            'wire_api = "responses"',
            'env_key = "CRS_API_KEY"',
          ].join('\n'),
        },
        { text: `${environment(shell, [['CRS_API_KEY', key]])}\ncodex` },
      ]
    case 'gemini-cli':
      return [
        {
          text: `${environment(shell, [
            ['CODE_ASSIST_ENDPOINT', `${base}/gemini`],
            ['GOOGLE_CLOUD_ACCESS_TOKEN', key],
            ['GOOGLE_GENAI_USE_GCA', 'true'],
          ])}\ngemini`,
        },
      ]
    case 'cherry-studio':
      return [
        { file: 'API Host', text: `${base}/openai/v1` },
        { file: 'API Key', text: key },
      ]
  }
}
