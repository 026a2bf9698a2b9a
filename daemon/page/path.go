package page

import "net/url"

// The addresses of what the pages ask for.
const (
	StylePath        = "/assets/serin.css"
	ScriptPath       = "/assets/serin.js"
	OverviewPath     = "/"
	OverviewLivePath = "/live"
)

// Policy is the Content-Security-Policy of the overview and of a Canary's page.
const Policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Path is the address of a Canary's page.
func Path(namespace, name string) string {
	return "/canaries/" + url.PathEscape(namespace) + "/" + url.PathEscape(name)
}

// LivePath is the address of the page's stream of events.
func LivePath(namespace, name string) string { return Path(namespace, name) + "/live" }

// CommandPath is the address that a command is posted to.
func CommandPath(namespace, name, command string) string {
	return "/api/v1" + Path(namespace, name) + "/" + url.PathEscape(command)
}
