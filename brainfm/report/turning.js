(() => {
  const box = document.getElementById("KEY"), canvas = box.querySelector("canvas"), pen = canvas.getContext("2d");
  const data = JSON.parse(box.querySelector('script[type="application/json"]').textContent), choice = box.querySelector("select");
  let a = 0.6, b = 0.4, grip = null;
  // viridis at a few places, mixed in between
  const stops = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const colour = (t) => {
    const k = Math.min(3, Math.floor(t * 4)), f = t * 4 - k;
    return `rgb(${stops[k].map((v, i) => Math.round(v + f * (stops[k + 1][i] - v))).join(",")})`;
  };
  const draw = () => {
    const w = canvas.width, h = canvas.height, s = 0.42 * Math.min(w, h), values = data.colours[choice.value];
    const [ca, sa, cb, sb] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
    const seen = data.points.map(([x, y, z], i) => {
      const u = ca * x + sa * z, depth = -sa * x + ca * z;
      return [u, cb * y - sb * depth, sb * y + cb * depth, i];
    });
    seen.sort((p, q) => p[2] - q[2]);
    pen.clearRect(0, 0, w, h);
    for (const [x, y, z, i] of seen) {
      pen.fillStyle = colour(values[i]);
      pen.beginPath();
      pen.arc(w / 2 + s * x, h / 2 - s * y, 2.2 + z, 0, 7);
      pen.fill();
    }
  };
  canvas.addEventListener("pointerdown", (e) => { grip = [e.clientX, e.clientY, a, b]; canvas.setPointerCapture(e.pointerId); });
  canvas.addEventListener("pointerup", () => { grip = null; });
  canvas.addEventListener("pointermove", (e) => {
    if (!grip) return;
    a = grip[2] + (e.clientX - grip[0]) / 150;
    b = grip[3] + (e.clientY - grip[1]) / 150;
    draw();
  });
  choice.addEventListener("change", draw);
  draw();
})();
