package main

import (
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/serin-dev/serin/load"
)

func newLoad() *cobra.Command {
	return &cobra.Command{
		Use:                "load [flags] URL [URL ...]",
		Short:              "Send load by hand, with hey's flags and an open loop",
		DisableFlagParsing: true, // the flags are hey's, which are not cobra's
		RunE: func(cmd *cobra.Command, args []string) error {
			if os.Getenv("GOGC") == "" {
				// Beside a workload memory is scarcer than the time of a
				// collection, of which a load needs one in seconds.
				debug.SetGCPercent(25)
			}
			return load.Command(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
}
