// Command image-base writes what Serin's image is built in and on where no
// registry is reachable: builder.tar and base.tar. See `make image-offline`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/serin-dev/serin/testenv/image"
)

func main() {
	folder := flag.String("o", ".", "folder for the archives")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := errors.Join(
		os.MkdirAll(*folder, 0o755),
		image.Base(ctx, filepath.Join(*folder, "base.tar")),
		image.Builder(ctx, filepath.Join(*folder, "builder.tar")),
	)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "image-base:", err)
		os.Exit(1)
	}
}
