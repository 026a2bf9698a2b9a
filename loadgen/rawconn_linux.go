package loadgen

import (
	"io"
	"net"
	"os"
	"syscall"
)

// rawConn reads and writes a socket without announcing each system call to
// Go's scheduler, as is meant for those that may block. These do not: the
// socket is non-blocking, and the runtime's poller waits for it.
//
// It saves the announcement, and much more where the process is idle between
// requests, as in an open loop: the scheduler's watchdog (sysmon in runtime)
// sleeps when all processors are idle, and the first announced system call
// after that wakes its thread up.
type rawConn struct {
	net.Conn
	raw         syscall.RawConn
	read, write rawCall // go on at the same time
}

// rawCall is a system call for the poller to make again and again until it
// would no longer block.
type rawCall struct {
	attempt func(fd uintptr) (done bool) // made once; the rest is for it
	buffer  []byte
	n       int
	errno   syscall.Errno
}

func (c *rawCall) prepare(call func(fd uintptr, p []byte) (int, syscall.Errno)) {
	c.attempt = func(fd uintptr) bool {
		for {
			if c.n, c.errno = call(fd, c.buffer); c.errno != syscall.EINTR {
				return c.errno != syscall.EAGAIN
			}
		}
	}
}

// maxRaw is how many bytes are read or written at once: nothing else gets the
// processor while they are copied.
const maxRaw = 64 << 10

// rawIO returns a connection that does what c does for less.
func rawIO(c net.Conn) net.Conn {
	s, ok := c.(syscall.Conn)
	if !ok {
		return c
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return c // closed, as its next user will see
	}
	r := &rawConn{Conn: c, raw: raw}
	r.read.prepare(rawRead)
	r.write.prepare(rawWrite)
	return r
}

// SyscallConn makes a rawConn a syscall.Conn.
func (r *rawConn) SyscallConn() (syscall.RawConn, error) { return r.raw, nil }

func (r *rawConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r.read.buffer = p[:min(len(p), maxRaw)]
	err := r.raw.Read(r.read.attempt)
	r.read.buffer = nil
	switch {
	case err != nil:
		return 0, err
	case r.read.errno != 0:
		return 0, r.opError("read", r.read.errno)
	case r.read.n == 0:
		return 0, io.EOF
	}
	return r.read.n, nil
}

func (r *rawConn) Write(p []byte) (int, error) {
	for written := 0; ; {
		if written == len(p) {
			return written, nil
		}
		r.write.buffer = p[written:min(len(p), written+maxRaw)]
		err := r.raw.Write(r.write.attempt)
		r.write.buffer = nil
		switch {
		case err != nil:
			return written, err
		case r.write.errno != 0:
			return written, r.opError("write", r.write.errno)
		}
		written += r.write.n
	}
}

func (r *rawConn) opError(op string, errno syscall.Errno) error {
	return &net.OpError{Op: op, Net: r.RemoteAddr().Network(), Source: r.LocalAddr(), Addr: r.RemoteAddr(), Err: os.NewSyscallError(op, errno)}
}
