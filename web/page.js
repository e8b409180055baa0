// The calculator's page: asks the API, shows what it answers, and says what is wrong beside the field at fault.
// All numbers stay text: a JavaScript number would lose digits.

const texts = JSON.parse(document.getElementById("texts").textContent);
const writesComma = document.documentElement.lang === "pt-BR";
const signs = { add: "+", subtract: "−", multiply: "×", divide: "÷" };
// What typing an operator chooses.
const keys = { "+": "add", "-": "subtract", "*": "multiply", "/": "divide" };
// Longer fractions are not stacked, and longer results are written smaller.
const shortFraction = 24;
const shortResult = 20;

const form = document.getElementById("calculator");
const answer = document.getElementById("answer");
const fields = ["x", "y", "precision"].map((id) => document.getElementById(id));
const [x, y, precision] = fields;
let asked = new AbortController();

const options = document.getElementById("options");
options.disabled = false;
options.hidden = false;

// A text in the page's language, with what varies filled in.
function say(id, values = {}) {
  return texts[id].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// As the language writes numbers.
function written(number) {
  return writesComma ? number.replace(".", ",") : number;
}

// As the API reads them: where the language writes a comma, `1,5` is 1.5.
function meant(text) {
  const isComma = writesComma && text.split(",").length === 2 && !text.includes(".");
  return isComma ? text.replace(",", ".") : text;
}

// Where the language writes a comma, `1.125` could be meant as one thousand one hundred and twenty-five.
function isAmbiguous(text) {
  return writesComma && /^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$/.test(text);
}

function showFault(field, text) {
  const error = document.getElementById(`${field.id}-error`);
  error.textContent = text;
  error.hidden = text === "";
  field.setAttribute("aria-invalid", text !== "");
}

function clearFaults() {
  fields.forEach((field) => showFault(field, ""));
}

// The request for what the form holds, and its text for people.
function request() {
  const operation = form.elements.operation.value;
  const parameters = { x: meant(x.value.trim()), y: meant(y.value.trim()) };
  if (precision.value.trim() !== "") {
    parameters.precision = precision.value.trim();
  }
  if (form.elements.method.value === "GET") {
    const target = `/v1/calc/${operation}?${new URLSearchParams(parameters)}`;
    return { target, init: {}, shown: `GET ${target}` };
  }
  const target = form.getAttribute("action");
  const body = JSON.stringify({ operation, ...parameters });
  const headers = { "Content-Type": "application/json" };
  return { target, init: { method: "POST", headers, body }, shown: `POST ${target}\n\n${body}` };
}

async function calculate() {
  clearFaults();
  const ambiguous = [x, y].find((field) => isAmbiguous(field.value.trim()));
  if (ambiguous) {
    const text = ambiguous.value.trim();
    const readings = { decimal: text.replace(".", ","), thousands: text.replace(".", "") };
    answer.replaceChildren();
    return refuse(ambiguous, say("ambiguous", readings));
  }
  // Of two questions the later one counts.
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  const { target, init, shown } = request();
  answer.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(target, { ...init, signal, headers: { ...init.headers, Accept: "application/json" } });
    const isProblem = response.headers.get("Content-Type") === "application/problem+json";
    if (!response.ok && !isProblem) {
      return fail(say("failed-answer", { status: response.status }));
    }
    const content = await response.json();
    if (isProblem) {
      showProblem(content, response.headers.get("Retry-After"));
    } else {
      showAnswer(content, shown);
    }
  } catch (error) {
    if (!signal.aborted) {
      fail(say("failed-network"));
    }
  } finally {
    if (!signal.aborted) {
      answer.setAttribute("aria-busy", "false");
    }
  }
}

function refuse(field, text) {
  showFault(field, text);
  field.focus();
  field.select();
}

function fail(text) {
  answer.replaceChildren(element("p", { className: "error" }, text));
}

function showProblem(problem, seconds) {
  const id = `problem-${problem.type.split("/").pop()}`;
  const text = id in texts ? say(id, { limit: problem.limit, seconds }) : problem.detail;
  const field = fields.find((field) => field.id === problem.parameter);
  if (field) {
    answer.replaceChildren();
    refuse(field, text);
  } else {
    fail(text);
  }
}

function showAnswer(calculation, shown) {
  const { operation, result, exact, fraction, repeating } = calculation;
  const parts = [
    element("p", { className: "expression" }, `${written(calculation.x)} ${signs[operation]} ${written(calculation.y)} =`),
    element(
      "p",
      { className: result.length > shortResult ? "result long" : "result" },
      element("output", { id: "result" }, written(result)),
      copyButton(written(result)),
    ),
  ];
  if (exact) {
    parts.push(element("p", { className: "kind exact" }, say("exact")));
  } else {
    const digits = precision.value.trim() || form.dataset.precision;
    parts.push(element("p", { className: "kind rounded" }, say("rounded-about", { digits })));
  }
  const forms = [];
  if (repeating) {
    forms.push(element("dt", {}, say("repeating")), element("dd", { id: "repeating" }, ...period(repeating)));
  }
  if (fraction) {
    forms.push(element("dt", {}, say("fraction")), element("dd", { id: "fraction" }, ...stacked(fraction)));
  }
  if (forms.length > 0) {
    parts.push(element("dl", {}, ...forms));
  }
  parts.push(
    element("details", {}, element("summary", {}, say("sent")), element("pre", {}, element("code", { id: "sent" }, shown))),
  );
  answer.replaceChildren(...parts);
  answer.scrollIntoView({ block: "nearest" });
}

// `0.1(6)` with a bar over what repeats.
function period(repeating) {
  const [before, digits] = repeating.replace(")", "").split("(");
  return [
    element("span", { ariaHidden: "true" }, written(before), element("span", { className: "period" }, digits)),
    element("span", { className: "spoken" }, `${written(before)}${digits}, ${say("repeating-about", { digits })}`),
  ];
}

// `1/3` with a line between.
function stacked(fraction) {
  const [numerator, denominator] = fraction.split("/");
  if (fraction.length > shortFraction) {
    return [fraction];
  }
  return [
    element(
      "span",
      { className: "fraction", ariaHidden: "true" },
      element("span", {}, numerator),
      element("span", {}, denominator),
    ),
    element("span", { className: "spoken" }, say("fraction-about", { numerator, denominator })),
  ];
}

function copyButton(text) {
  const button = element("button", { type: "button", className: "copy" }, say("copy"));
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = say("copied");
  });
  return button;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  calculate();
});

// `1/3` typed into the first field is the whole question: the operator chooses, and the second field follows.
x.addEventListener("keydown", (event) => {
  const operation = keys[event.key];
  const before = x.value.slice(0, x.selectionStart);
  const isOperator = /[0-9.,]$/.test(before) && x.selectionEnd === x.value.length;
  if (operation && isOperator && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    form.elements.operation.value = operation;
    y.focus();
  }
});

fields.forEach((field) => field.addEventListener("input", () => showFault(field, "")));
