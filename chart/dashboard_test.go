package chart_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var metric = regexp.MustCompile(`\b(?:serin|flagger)_[a-z_]+`)

// metricsOfDaemon are the names in the daemon's source.
func metricsOfDaemon(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	for _, folder := range []string{"metrics", "fault"} {
		files, err := filepath.Glob(filepath.Join("..", "daemon", folder, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range regexp.MustCompile(`"((?:serin|flagger)_[a-z_]+)"`).FindAllStringSubmatch(string(content), -1) {
				names[name[1]] = true
			}
		}
	}
	return names
}

func TestDashboardShowsWhatTheDaemonMeasures(t *testing.T) {
	known := metricsOfDaemon(t)
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	read(t, filepath.Join("dashboards", "serin.json"), json.Unmarshal, &board)
	shown, ids := make(map[string]bool), make(map[int]bool)
	for _, panel := range board.Panels {
		if ids[panel.ID] || panel.GridPos.X+panel.GridPos.W > 24 || len(panel.Targets) == 0 {
			t.Errorf("panel %q: its place or number is wrong, or it shows nothing", panel.Title)
		}
		ids[panel.ID] = true
		for _, target := range panel.Targets {
			for _, name := range metric.FindAllString(target.Expr, -1) {
				name = strings.TrimSuffix(name, "_bucket")
				if !known[name] {
					t.Errorf("panel %q asks for %s, which the daemon does not have", panel.Title, name)
				}
				shown[name] = true
			}
		}
	}
	for name := range known {
		if strings.HasPrefix(name, "serin_") && !shown[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}
