//go:build !unix

package loadgen

import "time"

func processTime() time.Duration { return 0 }
