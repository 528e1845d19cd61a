"""How the page looks: system fonts, and a result that stays in sight beside the sliders."""

import gradio as gr

FONTS = ("ui-sans-serif", "system-ui", "sans-serif")
MONO = ("ui-monospace", "Consolas", "monospace")

CSS = """
.gradio-container { width: 100% !important; max-width: 1500px !important; margin: 0 auto;
  padding: 12px 16px !important; box-sizing: border-box; }
.gradio-container main, .gradio-container .wrap.fillable { width: 100% !important; }
#top { align-items: baseline; }
#top > * { min-width: 0 !important; }
#title { flex: 0 0 auto !important; width: auto !important; }
#about { flex: 1 1 300px !important; width: auto !important; }
#title h1 { font-size: 1.2rem; margin: 0; }
#about p { margin: 0; color: var(--body-text-color-subdued); }
.work { display: grid !important; gap: 14px; align-items: start;
  grid-template-columns: minmax(0, 5fr) minmax(0, 6fr);
  grid-template-areas: "inputs result" "settings result"; grid-template-rows: auto 1fr; }
.work > .inputs { grid-area: inputs; min-width: 0 !important; }
.work > .result { grid-area: result; min-width: 0 !important; position: sticky; top: 8px; }
.work > .settings { grid-area: settings; min-width: 0 !important; }
.sliders > .form, .sliders { display: grid !important; gap: 1px;
  grid-template-columns: repeat(auto-fill, minmax(165px, 1fr)); }
.sliders > .form { grid-column: 1 / -1; background: var(--block-background-fill); }
.sliders .block { min-width: 0 !important; padding: 6px 10px !important; }
.sliders input[type=range] { min-width: 60px !important; }
.pair { flex-wrap: nowrap !important; }
.pair > * { min-width: 0 !important; }
.before img, .after img, .film video { width: 100%; height: 100%; object-fit: contain; }
/* trimming would fetch a program from elsewhere */
button[aria-label="Trim video to selection"],
button[aria-label="Reset video to initial value"] { display: none !important; }
@media (max-width: 760px) {
  /* no grid: there a sticky part stays within its own area */
  .work { display: flex !important; flex-flow: column nowrap; align-items: stretch; }
  .work > *, .made, .preview { flex: none !important; width: 100% !important; }
  .work > .result { position: static; }
  .before, .after { height: 190px !important; }
  .film { height: 220px !important; }
  .work.film-first > .result { display: contents !important; }
  .work > .settings { order: 1; }
  .inputs { order: -2; }
  .made { order: -1; }
  .work > .result { order: 0; }
  .work.live > .result, .preview { position: sticky; top: 0; z-index: 5;
    background: var(--body-background-fill); padding-bottom: 6px; }
}
"""


def theme() -> gr.themes.Base:
    """Give a theme whose fonts are the system's: nothing is fetched."""
    return gr.themes.Soft(
        font=[gr.themes.Font(name) for name in FONTS],
        font_mono=[gr.themes.Font(name) for name in MONO],
        primary_hue="blue",
        secondary_hue="blue",
        neutral_hue="slate",
        spacing_size="sm",
    )
