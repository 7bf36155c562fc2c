// Figures of the notebooks: drawn in the width and the colours of the page, and drawn again when either changes.
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function dressed(layout, narrow, named) {
    const ink = colour("--pst-color-text-base"), grid = colour("--pst-color-border");
    const own = structuredClone(layout);
    delete own.title;  // the caption above the figure, which wraps
    delete own.width;
    Object.assign(own, {
      autosize: true,
      height: narrow ? 320 + 18 * named : 460,  // a narrow legend has a line for each name
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { ...own.font, color: ink, size: narrow ? 12 : 14, family: colour("--pst-font-family-base") },
      margin: { t: 16, r: 12, l: narrow ? 56 : 72, b: 56 },
      legend: { ...own.legend, bgcolor: "rgba(0,0,0,0)", font: { color: ink } },
      hoverlabel: { bgcolor: colour("--pst-color-surface"), font: { color: ink }, ...own.hoverlabel },
    });
    for (const name of Object.keys(own).filter((key) => /^[xy]axis\d*$/.test(key))) {
      Object.assign(own[name], { gridcolor: grid, linecolor: grid, zerolinecolor: grid, automargin: true, color: ink });
      // powers are set a quarter larger than other ticks
      own[name].tickfont = { size: own[name].exponentformat === "power" ? 0.8 * own.font.size : own.font.size };
    }
    return own;
  }

  function draw(figure) {
    const plot = figure.querySelector(".plotly-plot");
    const { data, layout } = JSON.parse(figure.querySelector("script").textContent);
    const narrow = figure.clientWidth < 560;
    const named = data.filter((trace) => trace.name && trace.showlegend !== false).length;
    Plotly.react(plot, data, dressed(layout, narrow, named), { responsive: true, displaylogo: false, displayModeBar: false });
  }

  const figures = [...document.querySelectorAll(".plotly-figure")];
  const all = () => figures.forEach(draw);
  all();
  new MutationObserver(all).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth !== width) { width = window.innerWidth; all(); }
  });
})();
