"""Who may do what on the web server.

Every request passes `Access` before it reaches a route: it finds out who asks, and turns away what
nobody may send.  A route then says whom it is for::

    from node.core.people import Role
    from node.web.access.forms import form_of
    from node.web.access.person import person_of
    from node.web.access.required import required

    @required(Role.OPERATOR)
    def requeue(request: Request) -> Response:
        person = person_of(request)            # Person, or None (never None behind `required`)
        asked = form_of(request)               # of a form: read, bounded, its token tested
        store.requeue_job(..., by=person.signature)    # "anna (operator)"

- **What is open**: `/healthz`, `/readyz`, `/login`, `/static/...`.  Below `/dicom-web`, and at
  `/metrics`, whoever is in `web.allowed_peers` needs no log-in.  Everything else, present and to
  come, is for viewers at least, whether a route says so or not: so it is decided here, and in one
  place, that the name of a patient is for those who are logged in.
- **Forms**: every `<form method="post">` has
  `<input type="hidden" name="csrf_token" value="{{ person.csrf_token }}">`.
- **Scripts**: every changing request has the header `X-CSRF-Token` with the same value, which a
  page hands over in an attribute (`<body data-csrf="{{ person.csrf_token }}">`).
- **What a page asks by itself**, to renew what is on the screen, has the header `X-By-Itself`, or
  is an event stream: it does not keep a session open.
- **Templates** get `person` (None on the log-in page) and show `person.name`, `person.role`, and,
  where `person.can_log_out`, a form to `/logout`.
- Refused: a person is led to `/login` with 303, a program gets 401 or 403 as JSON; which of them
  asks, says `node.web.problems.form_of_answer`, of every error alike.
- **The policy of scripts** (`headers`): every answer outside `/dicom-web` forbids what is not
  of this server.  A mount that needs more says so::

      Mount("/ohif", ..., middleware=[Middleware(Policy, headers={**OF_PAGES, ...})])

`identified` finds out who asks; `cross_site` turns away what another site made a browser send;
`hosts` what a name server did; `attempts` bounds guessing; `login` is the way in and out.
"""
