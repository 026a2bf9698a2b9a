package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// run is the program: args are its own name and what follows it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	root := newRoot(programName(args[0])) //nolint:contextcheck // commands get ctx from ExecuteContext
	root.SetArgs(args[1:])
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root.ExecuteContext(ctx)
}

// programName is how the user calls this program. As kubectl-serin it is a
// plugin of kubectl's.
func programName(path string) string {
	name := strings.TrimSuffix(filepath.Base(path), ".exe")
	if name == "kubectl-serin" || name == "kubectl_complete-serin" {
		return "kubectl serin"
	}
	return "serin"
}

func newRoot(program string) *cobra.Command {
	root := &cobra.Command{
		Use:           "serin",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: program},
		Short:         "Progressive delivery for Knative that brings its own traffic",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddGroup(&cobra.Group{ID: rolloutGroup, Title: "Rollouts:"})
	for _, cmd := range append([]*cobra.Command{newStatus(program), newGate(program), newFault(program), newDrill(program)}, newCommands(program)...) {
		cmd.GroupID = rolloutGroup
		root.AddCommand(cmd)
	}
	root.AddCommand(newDaemon(), newLoad(), newVersion())
	return root
}

// rolloutGroup are the commands for people.
const rolloutGroup = "rollouts"

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "serin", version())
			return err
		},
	}
}

// release is set by the build of the image, which has no repository to look at.
var release string

// version is the image's, or else what the Go toolchain has stamped into the
// binary.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
