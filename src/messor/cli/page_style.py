"""The style and the script of a recorded run's page; nothing is loaded from anywhere."""

from __future__ import annotations

COLORS = {
    "light": [
        "#2563eb",
        "#dc2626",
        "#059669",
        "#d97706",
        "#7c3aed",
        "#0891b2",
        "#be185d",
        "#4d7c0f",
        "#475569",
        "#92400e",
    ],
    "dark": [
        "#60a5fa",
        "#f87171",
        "#34d399",
        "#fbbf24",
        "#a78bfa",
        "#22d3ee",
        "#f472b6",
        "#a3e635",
        "#cbd5e1",
        "#fb923c",
    ],
}
OTHERS = "#94a3b8"


def _colors(theme: str) -> str:
    named = "".join(f"--k{number}:{color};" for number, color in enumerate(COLORS[theme]))
    return f"{named}--kx:{OTHERS};"


_LOOKS = "".join(
    f".c{look}{{--color:var(--k{look})}}.b{look}{{background:var(--k{look})}}" for look in (*map(str, range(10)), "x")
)

STYLE = f"""
:root{{color-scheme:light dark;--ink:#0f172a;--soft:#475569;--rule:#e2e8f0;--back:#fff;--bad:#b91c1c;
{_colors("light")}}}
@media(prefers-color-scheme:dark){{:root{{--ink:#e2e8f0;--soft:#94a3b8;--rule:#1e293b;--back:#0b1220;--bad:#fca5a5;
{_colors("dark")}}}}}
body{{font:15px/1.4 system-ui,sans-serif;max-width:1080px;margin:2em auto;padding:0 1em;color:var(--ink);
background:var(--back)}}
h1{{font-size:1.4em}}h2{{font-size:1.05em;margin:1.4em 0 0}}.note{{margin:0;color:var(--soft);font-size:.9em}}
.chart{{width:100%;height:auto;display:block}}.chart text{{font-size:11px;fill:var(--soft)}}
.grid{{stroke:var(--rule)}}.tick{{stroke:var(--soft)}}.hair{{stroke:var(--ink);stroke-dasharray:2 2}}
.line{{fill:none;stroke:var(--color);stroke-width:2}}.total{{fill:none;stroke:var(--soft);stroke-dasharray:5 4}}
.area{{fill:var(--color);fill-opacity:.85}}.pale{{fill-opacity:.3}}.cross{{stroke:var(--bad);stroke-width:2;fill:none}}
.dim{{opacity:.12}}
.legend{{list-style:none;display:flex;flex-wrap:wrap;gap:.3em .6em;padding:.4em 0;margin:0;position:sticky;top:0;
background:var(--back)}}
.legend button{{font:inherit;color:inherit;background:none;border:1px solid var(--rule);border-radius:4px;
padding:.1em .6em;cursor:pointer}}
.legend button[aria-pressed=true]{{border-color:var(--ink)}}
.legend span{{display:inline-block;width:1em;height:.8em;border-radius:2px;margin-right:.4em}}
.wide{{overflow-x:auto}}table{{border-collapse:collapse}}
td,th{{text-align:left;padding:.2em .8em .2em 0;border-bottom:1px solid var(--rule)}}
#tip{{position:fixed;background:var(--ink);color:var(--back);padding:.4em .7em;border-radius:4px;font-size:.85em;
white-space:pre;pointer-events:none}}
{_LOOKS}"""

SCRIPT = """
const tip=document.getElementById('tip'),charts=[...document.querySelectorAll('.chart')];
const hairs=charts.map(chart=>chart.querySelector('.hair'));
function shown(value,unit){
  if(unit==='%')return (value*100).toFixed(1)+' %';
  return +value.toFixed(2)+(unit?' '+(value===1?unit.replace(/s$/,''):unit):'');
}
function clock(t){
  if(t<60)return t.toFixed(1)+' s';
  const m=Math.floor(t/60),s=(t%60).toFixed(0).padStart(2,'0');
  return m<60?m+':'+s:Math.floor(m/60)+':'+String(m%60).padStart(2,'0')+':'+s;
}
function place(x){for(const hair of hairs){hair.setAttribute('x1',x);hair.setAttribute('x2',x)}}
for(const chart of charts){
  const {times,rows,unit}=data.charts[chart.dataset.chart];
  chart.addEventListener('pointermove',event=>{
    const box=chart.getBoundingClientRect(),scale=box.width/chart.viewBox.baseVal.width;
    const part=((event.clientX-box.left)/scale-data.left)/data.width;
    const t=Math.min(1,Math.max(0,part))*data.end;
    let low=0,high=times.length;
    while(high-low>1){const middle=(low+high)>>1;if(times[middle]<=t)low=middle;else high=middle}
    place(data.left+data.width*t/data.end);
    const lines=rows.map((row,i)=>[data.roles[i],row[low]]).filter(l=>l[1]!==null&&l[1]!==undefined)
      .sort((a,b)=>b[1]-a[1]).map(([role,value])=>role+': '+shown(value,unit));
    tip.textContent=clock(t)+'\\n'+lines.join('\\n');
    tip.hidden=false;
    tip.style.left=Math.min(event.clientX+14,innerWidth-tip.offsetWidth-8)+'px';
    tip.style.top=Math.min(event.clientY+14,innerHeight-tip.offsetHeight-8)+'px';
  });
  chart.addEventListener('pointerleave',()=>{tip.hidden=true;place(-9)});
}
const buttons=[...document.querySelectorAll('.legend button')];
for(const button of buttons)button.addEventListener('click',()=>{
  const chosen=button.getAttribute('aria-pressed')!=='true'&&button.dataset.look;
  for(const one of buttons)one.setAttribute('aria-pressed',one.dataset.look===chosen);
  for(const shape of document.querySelectorAll('.line,.area'))
    shape.classList.toggle('dim',Boolean(chosen)&&!shape.classList.contains('c'+chosen));
});
"""
