/* The sum while numbers are typed on the page of an order's articles; without it the sum comes with the next page. ES5. */
(function () {
  'use strict';
  var sum = document.querySelector('[data-sum]');
  if (!sum || !window.Intl) return;
  var form = sum.closest('form'), seen = JSON.parse(form.elements.seen.value);
  var euros = new Intl.NumberFormat(document.documentElement.lang, { style: 'currency', currency: 'EUR' });

  /* By how much it differs from what the total counts, which is what one gets of it; null: as it was, or not to be read. */
  function typed(input) {
    var before = (seen[input.name.slice(2)] || [0])[0], text = input.value.replace(/\s/g, '');
    return !/^\d{0,7}$/.test(text) || +text === before ? null : text - input.getAttribute('data-got');
  }

  function show() {
    var more = 0, changed = false;
    Array.prototype.forEach.call(form.querySelectorAll('[data-each]'), function (input) {
      var units = typed(input);
      if (units === null) return;
      changed = true;
      more += units * input.getAttribute('data-each');
    });
    sum.hidden = !changed;
    sum.textContent = changed ? sum.getAttribute('data-words').replace('{}', euros.format(sum.getAttribute('data-sum') / 100 + more)) : '';
  }

  form.addEventListener('input', show);
  show();
})();
