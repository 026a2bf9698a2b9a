//go:build linux

package cluster

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// A package that a cluster needs and that nobody is told to install is only
// missed on a fresh machine.
func TestPackagesThatAreNeededAreNamedWhereTheyAreInstalled(t *testing.T) {
	install := regexp.MustCompile(`install (?:-y )?--no-install-recommends [^&|>]*`)
	for _, path := range []string{"../../docs/testenv.md", "../../.ci/run"} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("\\\n", " ").Replace(string(content))
		installed := " " + strings.Join(strings.Fields(strings.Join(install.FindAllString(text, -1), " ")), " ") + " "
		for name := range needed {
			if name != "mount" && !strings.Contains(installed, " "+name+" ") { // mount is essential in Debian
				t.Errorf("%s does not install %s: %q", path, name, installed)
			}
		}
	}
}
