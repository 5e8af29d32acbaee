import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'
import { mantineStyles } from './scripts/styles'

const relay = process.env.CRS_URL ?? 'http://127.0.0.1:3000'

export default defineConfig({
  base: '/web/',
  resolve: { alias: { '@': new URL('./src', import.meta.url).pathname } },
  plugins: [react(), mantineStyles()],
  build: {
    target: 'es2022',
    // Fonts and pictures stay files: the policy allows no data URLs for them.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      output: {
        manualChunks(id: string) {
          // What the frame needs too must not draw the charts in with it.
          if (/node_modules\/(react|react-dom|scheduler|clsx|use-sync-external-store)\//.test(id))
            return 'base'
          if (
            /node_modules\/(recharts|d3-|victory-vendor|@reduxjs|immer|redux|reselect|es-toolkit|decimal)/.test(
              id,
            )
          ) {
            return 'charts'
          }
        },
      },
    },
  },
  server: { proxy: { '/admin': relay, '/web/api': relay } },
})
