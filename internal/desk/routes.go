package desk

import (
	"net/http"

	"pombo"
)

// A route is one line of the table. Its handler writes an answer or returns an error,
// not both.
type route struct {
	method, path string
	right        right  // what the visitor must have
	menu         string // key of the word in the menu; "" = it is not there
	// harmless says that a POST changes nothing, so that it may be repeated: it needs
	// no single-use token.
	harmless bool
	handle   func(http.ResponseWriter, *http.Request) error
}

func (rt route) pattern() string { return rt.method + " " + rt.path }

// table lists every route there is, those of the menu in its order. A test lists who
// may use each.
func (s *Server) table() []route {
	return []route{
		{method: "GET", path: "/{$}", right: anyone, handle: s.getRoot},
		{method: "GET", path: "/favicon.ico", right: anyone, handle: s.getFavicon},
		{method: "GET", path: "/desk/static/{hash}/{name}", right: anyone, handle: s.getStatic},

		{method: "GET", path: "/desk/login", right: anyone, handle: s.getLogin},
		{method: "POST", path: "/desk/login", right: anyone, harmless: true, handle: s.postLogin}, // the password is the token
		{method: "GET", path: "/desk/enter", right: anyone, handle: s.getEnter},
		{method: "POST", path: "/desk/enter", right: anyone, harmless: true, handle: s.postEnter}, // the link is good once itself
		{method: "GET", path: "/desk/invite", right: anyone, handle: s.getInvite},
		{method: "POST", path: "/desk/invite", right: anyone, harmless: true, handle: s.postInvite}, // likewise
		{method: "POST", path: "/desk/logout", right: signedIn, harmless: true, handle: s.postLogout},

		{method: "GET", path: "/desk/{$}", right: view, menu: "menu.now", handle: s.getNow},
		{method: "GET", path: "/desk/pause", right: operate, handle: s.getPause},
		{method: "POST", path: "/desk/pause", right: operate, handle: s.postPause},
		{method: "GET", path: "/desk/resume", right: operate, handle: s.getResume},
		{method: "POST", path: "/desk/resume", right: operate, handle: s.postResume},

		{method: "GET", path: "/desk/messages", right: view, menu: "menu.messages", handle: s.getMessages},
		{method: "GET", path: "/desk/messages.csv", right: view, handle: s.getMessagesCSV},
		{method: "POST", path: "/desk/messages.csv", right: exportClear, handle: s.postMessagesCSV},
		{method: "GET", path: "/desk/export", right: exportClear, handle: s.getExport},
		{method: "POST", path: "/desk/find", right: view, harmless: true, handle: s.postFind}, // a search whose words must not stand in the address
		{method: "GET", path: "/desk/find/{token}", right: view, handle: s.getFind},
		{method: "POST", path: "/desk/find/{token}/row", right: operate, harmless: true, handle: s.postFindRow}, // it reads
		{method: "GET", path: "/desk/messages/{id}", right: view, handle: s.getMessage},
		{method: "POST", path: "/desk/messages/{id}/uncover", right: uncover, handle: s.postUncover},
		{method: "GET", path: "/desk/messages/{id}/retry", right: resendOwn, handle: s.getRetry},
		{method: "POST", path: "/desk/messages/{id}/retry", right: resendOwn, handle: s.postRetry},
		{method: "GET", path: "/desk/messages/{id}/cancel", right: operate, handle: s.getCancel},
		{method: "POST", path: "/desk/messages/{id}/cancel", right: operate, handle: s.postCancel},
		{method: "POST", path: "/desk/messages/{id}/ask", right: operate, handle: s.postAsk},

		{method: "GET", path: "/desk/replies", right: view, menu: "menu.replies", handle: s.getReplies},
		{method: "GET", path: "/desk/replies/{number}", right: view, handle: s.getReply},
		{method: "POST", path: "/desk/replies/{number}/uncover", right: uncover, handle: s.postUncoverReply},

		{method: "GET", path: "/desk/failures", right: view, menu: "menu.failures", handle: s.getFailures},
		{method: "GET", path: "/desk/failures.csv", right: view, handle: s.getFailuresCSV},
		{method: "GET", path: "/desk/failures/{reason}", right: view, handle: s.getFailure},

		{method: "GET", path: "/desk/bulk", right: view, menu: "menu.resends", handle: s.getBulks},
		{method: "GET", path: "/desk/bulk/new", right: operate, handle: s.getPlan},
		{method: "POST", path: "/desk/bulk", right: operate, handle: s.postBulk},
		{method: "GET", path: "/desk/bulk/{number}", right: view, handle: s.getBulk},
		{method: "GET", path: "/desk/bulk/{number}/skipped.csv", right: view, handle: s.getSkippedCSV},
		{method: "GET", path: "/desk/bulk/{number}/stop", right: operate, handle: s.getBulkStop},
		{method: "POST", path: "/desk/bulk/{number}/stop", right: operate, handle: s.postBulkStop},

		{method: "GET", path: "/desk/report", right: view, menu: "menu.report", handle: s.getReport},
		{method: "GET", path: "/desk/report.csv", right: view, handle: s.getReportCSV},

		{method: "GET", path: "/desk/templates", right: view, menu: "menu.templates", handle: s.getTemplates},
		{method: "GET", path: "/desk/templates/{name}", right: view, handle: s.getTemplate},
		{method: "POST", path: "/desk/templates/{name}/preview", right: operate, handle: s.postPreview},
		{method: "GET", path: "/desk/templates/{name}/hold", right: operate, handle: s.getHold},
		{method: "POST", path: "/desk/templates/{name}/hold", right: operate, handle: s.postHold},
		{method: "GET", path: "/desk/templates/{name}/release", right: operate, handle: s.getRelease},
		{method: "POST", path: "/desk/templates/{name}/release", right: operate, handle: s.postRelease},

		{method: "GET", path: "/desk/runs", right: view, menu: "menu.runs", handle: s.getRuns},
		{method: "POST", path: "/desk/runs", right: operate, handle: s.postRun},
		{method: "GET", path: "/desk/runs/new", right: operate, handle: s.getRunNew},
		{method: "GET", path: "/desk/runs/{id}", right: view, handle: s.getRun},

		{method: "GET", path: "/desk/table", right: view, menu: "menu.table", handle: s.getTable},

		{method: "GET", path: "/desk/findings", right: view, menu: "menu.findings", handle: s.getFindings},
		{method: "POST", path: "/desk/findings", right: operate, handle: s.postCompare},
		{method: "GET", path: "/desk/findings/new", right: operate, handle: s.getCompare},

		{method: "GET", path: "/desk/optouts", right: view, menu: "menu.optouts", handle: s.getOptOuts},
		{method: "POST", path: "/desk/optouts", right: operate, handle: s.postOptOut},
		{method: "GET", path: "/desk/optouts/add", right: operate, handle: s.getOptOutAdd},
		{method: "GET", path: "/desk/optouts/remove", right: operate, handle: s.getOptIn},
		{method: "POST", path: "/desk/optouts/remove", right: operate, handle: s.postOptIn},

		{method: "GET", path: "/desk/audit", right: readAudit, menu: "menu.audit", handle: s.getAudit},
		{method: "POST", path: "/desk/audit", right: readAudit, harmless: true, handle: s.postAudit}, // a search whose words must not stand in the address
		{method: "GET", path: "/desk/audit.csv", right: readAudit, handle: s.getAuditCSV},
		{method: "GET", path: "/desk/person", right: readAudit, menu: "menu.person", handle: s.getPerson},
		{method: "POST", path: "/desk/person", right: readAudit, harmless: true, handle: s.postPerson}, // a search, as above
		{method: "GET", path: "/desk/person/forget", right: administer, handle: s.getForget},
		{method: "POST", path: "/desk/person/forget", right: administer, handle: s.postForget},

		{method: "GET", path: "/desk/users", right: administer, menu: "menu.users", handle: s.getUsers},
		{method: "POST", path: "/desk/users", right: administer, handle: s.postUser},
		{method: "POST", path: "/desk/users/{name}", right: administer, handle: s.postUserChange},
		{method: "POST", path: "/desk/users/{name}/invite", right: administer, handle: s.postUserInvite},
		{method: "POST", path: "/desk/users/{name}/sessions/end", right: administer, handle: s.postUserSessionsEnd},

		{method: "GET", path: "/desk/me", right: signedIn, handle: s.getMe},
		{method: "POST", path: "/desk/me", right: signedIn, handle: s.postMe},
		{method: "POST", path: "/desk/me/password", right: signedIn, handle: s.postPassword},
		{method: "POST", path: "/desk/me/sessions/end", right: signedIn, handle: s.postEndOwnSession},

		{method: "GET", path: "/desk/help", right: signedIn, menu: "menu.help", handle: s.getHelp},
		{method: "GET", path: "/desk/help/{reason}", right: signedIn, handle: s.getHelpReason},

		// For pombo desk user, which signs its requests instead of signing in (cli.go).
		{method: "POST", path: "/desk/cli/users", right: signed, harmless: true, handle: s.cliUsers},
	}
}

// right is what a visitor must have for a route.
type right uint8

const (
	anyone      right = iota // also visitors who have not signed in
	signed                   // requests with the signature of the command line
	signedIn                 // whatever the role
	view                     // viewers, operators, admins
	operate                  // operators, admins
	administer               // admins
	readAudit                // admins, and accounts with the grant
	uncover                  // accounts with the grant, whatever the role; an admin needs it too
	exportClear              // likewise
	resendOwn                // operators, admins, and accounts with the grant
)

// may reports whether the account has the right. A visitor who has not signed in has
// only that of anyone.
func may(u pombo.User, need right) bool {
	switch need {
	case anyone:
		return true
	case signedIn, view:
		return u.Role.AtLeast(pombo.RoleViewer)
	case operate:
		return u.Role.AtLeast(pombo.RoleOperator)
	case administer:
		return u.Role.AtLeast(pombo.RoleAdmin)
	case readAudit:
		return u.Role.AtLeast(pombo.RoleAdmin) || u.Role.AtLeast(pombo.RoleViewer) && u.Grants.Has(pombo.GrantAudit)
	case uncover:
		return u.Role.AtLeast(pombo.RoleViewer) && u.Grants.Has(pombo.GrantUncover)
	case exportClear:
		return u.Role.AtLeast(pombo.RoleViewer) && u.Grants.Has(pombo.GrantExport)
	case resendOwn:
		return u.Role.AtLeast(pombo.RoleOperator) || u.Role.AtLeast(pombo.RoleViewer) && u.Grants.Has(pombo.GrantResend)
	case signed: // the signature is checked with the request
		return false
	}
	return false
}

// home is where the desk begins: the first page of the menu, or the visitor's own.
func (s *Server) home(u pombo.User) string {
	for _, rt := range s.menu {
		if may(u, rt.right) {
			return menuPath(rt)
		}
	}
	return "/desk/me"
}

func (s *Server) getRoot(w http.ResponseWriter, r *http.Request) error {
	v := visitorOf(r)
	if v == nil {
		return redirect(w, "/desk/login")
	}
	return redirect(w, s.home(v.User))
}
