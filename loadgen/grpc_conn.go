package loadgen

import (
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// grpcConn is a connection, and one attempt to make it. Where the attempt
// failed, the next call makes another: grpc-go by itself would try again and
// again for as long as nobody asks, and give a call the error of the attempt
// before it.
type grpcConn struct {
	*grpc.ClientConn
	users int  // calls on it; guarded by grpcClient.mu
	spent bool // no new calls; guarded by grpcClient.mu

	mu  sync.Mutex // guards err
	err error      // why it could not be made
}

// noAttempt is how long grpc-go waits before it tries again by itself: longer
// than a connection that has failed is kept.
const noAttempt = 24 * time.Hour

func (c *grpcClient) newConn() (*grpcConn, error) {
	conn := new(grpcConn)
	var err error
	conn.ClientConn, err = grpc.NewClient("passthrough:///"+c.endpoint.host,
		grpc.WithAuthority(c.endpoint.host),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			raw, err := c.endpoint.dial(ctx)
			conn.note(err)
			return raw, err
		}),
		grpc.WithTransportCredentials(c.credentials(conn)),
		grpc.WithUserAgent(orDefault(c.plan.Requests[0].Header.Get("User-Agent"), userAgent)),
		grpc.WithStatsHandler(progressHandler{}),
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithNoProxy(), grpc.WithIdleTimeout(0),
		// The attempt, too, has that long: the calls that wait for it end it.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{BaseDelay: noAttempt, Multiplier: 1, MaxDelay: noAttempt},
		}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
	)
	return conn, err
}

// acquire returns the connection for a call, which releases it.
func (c *grpcClient) acquire() *grpcConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn.spent || c.conn.GetState() == connectivity.TransientFailure {
		if next, err := c.newConn(); err == nil { // as it was for the first one
			c.conn.spent = true
			c.closeUnused(c.conn)
			c.conn = next
		}
	}
	c.conn.users++
	return c.conn
}

// release gives back a connection. It is spent when a call was not sent for want
// of it, rather than of a free stream. Other calls on it go on: a server that is
// about to leave still answers them.
func (c *grpcClient) release(conn *grpcConn, sent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conn.users--
	conn.spent = conn.spent || !sent && conn.GetState() != connectivity.Ready
	c.closeUnused(conn)
}

func (c *grpcClient) closeUnused(conn *grpcConn) {
	if conn.spent && conn.users == 0 {
		_ = conn.Close() // closing it twice is its only error
	}
}

func (c *grpcClient) close() { _ = c.conn.Close() } // closing it twice is its only error

func (c *grpcConn) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *grpcConn) lastErr() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *grpcClient) credentials(conn *grpcConn) credentials.TransportCredentials {
	if !c.endpoint.secure() {
		return insecure.NewCredentials()
	}
	config := c.endpoint.tlsConfig(c.plan)
	name := config.ServerName
	config.ServerName = "" // grpc-go wants it to be the authority
	return notedTLS{credentials.NewTLS(config), conn, name}
}

// notedTLS takes down why a handshake failed, of which grpc-go passes on the
// text alone, and may ask for another name than that of the authority.
type notedTLS struct {
	credentials.TransportCredentials
	conn *grpcConn
	name string
}

func (n notedTLS) ClientHandshake(ctx context.Context, _ string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := n.TransportCredentials.ClientHandshake(ctx, n.name, raw)
	if err != nil {
		n.conn.note(handshakeError{err})
	}
	return conn, info, err
}

func (n notedTLS) Clone() credentials.TransportCredentials {
	return notedTLS{n.TransportCredentials.Clone(), n.conn, n.name}
}
