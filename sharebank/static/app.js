/* Small comforts: every page works without them. ES5, for old phones. */
(function () {
  'use strict';
  document.documentElement.className += ' js';

  function each(selector, act) {
    Array.prototype.forEach.call(document.querySelectorAll(selector), act);
  }

  /* Errors are read first. */
  each('.error-summary', function (summary) { summary.focus(); });

  /* data-autosubmit: a select sends its form, unless arrow keys walk through it. */
  var byKey = false;
  document.addEventListener('keydown', function (event) {
    byKey = true;
    var menu = document.querySelector('.menu[open]');
    if (menu && event.key === 'Escape') {
      menu.removeAttribute('open');
      menu.querySelector('summary').focus();
    }
  });
  document.addEventListener('mousedown', function () { byKey = false; });

  /* data-end="id" on a start: the end follows by data-minutes (120) until typed. */
  function pad(n) { return (n < 10 ? '0' : '') + n; }
  function later(value, type, minutes) {
    if (type === 'date') return value;
    var day = type === 'time' ? '2000-01-01' : value.slice(0, 10);
    var time = type === 'time' ? value : value.slice(11);
    var p = day.split('-'), t = time.split(':');
    var d = new Date(Date.UTC(+p[0], p[1] - 1, +p[2], +t[0], +t[1] + minutes));
    var clock = pad(d.getUTCHours()) + ':' + pad(d.getUTCMinutes());
    if (type === 'time') return d.getUTCDate() === 1 ? clock : '23:59';
    return d.toISOString().slice(0, 10) + 'T' + clock;
  }

  document.addEventListener('change', function (event) {
    var input = event.target, end = document.getElementById(input.getAttribute('data-end'));
    if (input.hasAttribute('data-autosubmit') && !byKey && input.form) input.form.submit();
    input.removeAttribute('data-filled');
    if (end && input.value && (!end.value || end.hasAttribute('data-filled') || end.value <= input.value)) {
      end.value = later(input.value, input.type, +(input.getAttribute('data-minutes') || 120));
      end.setAttribute('data-filled', '');
    }
  });

  /* data-add="id" copies the last [data-row] in there; data-remove drops its own row. */
  function addRow(box) {
    var rows = box.querySelectorAll('[data-row]'), last = rows[rows.length - 1], row = last.cloneNode(true);
    Array.prototype.forEach.call(row.querySelectorAll('*'), function (node) {
      ['id', 'name', 'for', 'aria-describedby'].forEach(function (name) {
        var value = node.getAttribute(name);
        if (value) node.setAttribute(name, value.replace(/-(\d+)(?=-|$)/, function (_, n) { return '-' + (+n + 1); }));
      });
      if (node.checked) node.checked = false;
      else if (node.tagName === 'INPUT' && !/hidden|checkbox|radio/.test(node.type)) node.value = node.defaultValue = '';
      else if (node.tagName === 'SELECT') node.selectedIndex = 0;
    });
    last.parentNode.insertBefore(row, last.nextSibling);
    row.querySelector('input:not([type=hidden]), select').focus();
  }

  document.addEventListener('click', function (event) {
    var hit = event.target.closest && event.target.closest('[data-print], [data-add], [data-remove]');
    each('.menu[open]', function (menu) { if (!menu.contains(event.target)) menu.removeAttribute('open'); });
    if (!hit) return;
    event.preventDefault();
    if (hit.hasAttribute('data-print')) window.print();
    else if (hit.hasAttribute('data-add')) addRow(document.getElementById(hit.getAttribute('data-add')));
    else {
      var row = hit.closest('[data-row]');
      if (row.parentNode.querySelectorAll('[data-row]').length > 1) row.parentNode.removeChild(row);
    }
  });

  /* data-keep: the browser asks before what was typed there is left behind. */
  var typed = false;
  each('form[data-keep]', function (form) {
    form.addEventListener('input', function () { typed = true; });
    form.addEventListener('submit', function () { typed = false; });
  });
  window.addEventListener('beforeunload', function (event) {
    if (!typed) return;
    event.preventDefault();
    event.returnValue = 'typed'; /* old browsers ask when there is something here */
  });

  /* A form is sent once. */
  document.addEventListener('submit', function (event) {
    var form = event.target;
    if (form.method !== 'post') return;
    if (form.hasAttribute('aria-busy')) event.preventDefault();
    form.setAttribute('aria-busy', 'true');
    setTimeout(function () { form.removeAttribute('aria-busy'); }, 9000);
  });
  window.addEventListener('pageshow', function () {
    each('form[aria-busy]', function (form) { form.removeAttribute('aria-busy'); });
  });
})();
