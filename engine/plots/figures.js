// Plotly figures of a page: drawn in its width and its colours, and drawn again when either changes.
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const NARROW = 560, LOWEST = 320, HEIGHT = 460;

  function height(figure, plot, given, narrow, named) {
    if (figure.hasAttribute("data-fill")) return Math.max(LOWEST, window.innerHeight - plot.getBoundingClientRect().top - 16);
    const lowest = named ? LOWEST + 18 * named : 0.8 * LOWEST;  // a narrow legend has a line for each name
    return narrow ? Math.min(given || Infinity, lowest) : given || HEIGHT;
  }

  function dressed(layout, figure, plot, named) {
    const ink = colour("--pst-color-text-base"), grid = colour("--pst-color-border");
    const narrow = figure.clientWidth < NARROW, own = structuredClone(layout);
    own.title = { automargin: false };  // it is the caption above the figure, which wraps
    delete own.width;
    own.margin = { ...own.margin, t: layout.annotations ? 36 : 12 };  // annotations are titles of parts
    Object.assign(own, {
      autosize: true,
      height: height(figure, plot, layout.height, narrow, named),
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { ...own.font, color: ink, size: narrow ? 12 : 14, family: colour("--pst-font-family-base") },
      legend: { ...own.legend, bgcolor: "rgba(0,0,0,0)", font: { color: ink } },
      hoverlabel: { bgcolor: colour("--pst-color-surface"), font: { color: ink }, ...own.hoverlabel },
    });
    for (const name of Object.keys(own).filter((key) => /^[xy]axis\d*$/.test(key)))
      Object.assign(own[name], { gridcolor: grid, linecolor: grid, zerolinecolor: grid, color: ink });
    return own;
  }

  function draw(figure) {
    const plot = figure.querySelector(".plotly-plot");
    const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
    const named = data.filter((trace) => trace.name && trace.showlegend !== false).length;
    Plotly.react(plot, data, dressed(layout, figure, plot, named), { responsive: true, displaylogo: false, displayModeBar: false });
  }

  const figures = [...document.querySelectorAll(".plotly-figure")];
  const all = () => figures.forEach(draw);
  all();
  new MutationObserver(all).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
  let width = window.innerWidth, tall = window.innerHeight;
  window.addEventListener("resize", () => {
    const filled = figures.some((figure) => figure.hasAttribute("data-fill")) && window.innerHeight !== tall;
    if (window.innerWidth !== width || filled) { width = window.innerWidth; tall = window.innerHeight; all(); }
  });
})();
