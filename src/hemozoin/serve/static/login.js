// The printed address has the token after "#", which a browser does not send: put it into the form.
const form = document.querySelector("form");
if (location.hash.length > 1) {
  form.elements.token.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  form.submit();
}
