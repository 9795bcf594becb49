/** Colours are those of Okabe and Ito, which people with any colour vision tell apart, a little lighter on dark ground. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --ground: #ffffff; --card: #f5f6f8; --text: #1d2330; --faint: #5b6472; --line: #d9dde3;
  --series-1: #0072b2; --series-2: #d55e00; --series-3: #009e73; --series-4: #cc79a7; --series-5: #a06a00; --series-6: #3f7f9f; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171c; --card: #1d2127; --text: #e6e9ee; --faint: #a3adba; --line: #343a44;
    --series-1: #56b4e9; --series-2: #ff9450; --series-3: #2fc79a; --series-4: #e39ac4; --series-5: #f0c040; --series-6: #8cc7e0; --bad: #ff8a80;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 76rem; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.7rem; }
h2 { margin: 3rem 0 1rem; font-size: 1.3rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; overflow-wrap: anywhere; }
.about { margin: .3rem 0 0; color: var(--faint); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .8rem; margin: 0; }
.cards div { background: var(--card); border-radius: .5rem; padding: .7rem .9rem; }
.cards dt { color: var(--faint); font-size: .85rem; }
.cards dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.cards .bad dd { color: var(--bad); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1.6rem 2rem; margin-top: 1.6rem; }
figure { margin: 0; min-width: 0; }
figcaption { font-weight: 600; margin-bottom: .4rem; }
figcaption span { display: block; font-weight: 400; font-size: .9rem; color: var(--faint); }
.plot { width: 100%; min-height: 19rem; }
.u-legend { font-size: .85rem; color: var(--text); }
.u-select { background: color-mix(in srgb, var(--text) 12%, transparent); }
.scroll { overflow-x: auto; margin-top: 1.4rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.scroll table { min-width: min(100%, 34rem); }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
.scroll th, .scroll td { padding: .25rem .9rem .25rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
.scroll th:first-child, .scroll td:first-child { text-align: left; }
details { margin-top: 1.2rem; }
summary { cursor: pointer; color: var(--faint); }
summary:focus-visible { outline: 2px solid var(--series-1); outline-offset: 3px; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; font-size: .9rem; color: var(--faint); }
@media print { .plots { grid-template-columns: 1fr; } figure { break-inside: avoid; } }
`;
