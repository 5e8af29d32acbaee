// Sets light or dark before anything is painted; a file of its own, as the page has no inline code.
;(() => {
  const kept = localStorage.getItem('crs-scheme')
  const dark = matchMedia('(prefers-color-scheme: dark)').matches
  const scheme = kept === 'light' || kept === 'dark' ? kept : dark ? 'dark' : 'light'
  document.documentElement.setAttribute('data-mantine-color-scheme', scheme)
})()
