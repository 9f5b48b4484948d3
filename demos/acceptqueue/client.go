// SPDX-License-Identifier: Apache-2.0

package acceptqueue

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"beltrace/demos/demo"
)

// crowd are the clients. All keep their connections until the end.
type crowd struct {
	addr   string
	mended chan struct{} // closed when the acceptor leaves the work to others
	once   sync.Once

	mu    sync.Mutex
	conns []net.Conn
}

// drive fills the queue, lets further clients knock, and waits until everybody who was patient is served.
func drive(ctx context.Context, env *demo.Env) error {
	c := &crowd{addr: env.Addr, mended: make(chan struct{})}
	defer c.leave()
	g, ctx := errgroup.WithContext(ctx)
	env.Step(stepFill)
	if err := c.fill(ctx, g); err != nil {
		g.Go(func() error { return err }) // ends the others
		return g.Wait()
	}
	env.Step(stepKnock)
	g.Go(func() error { return c.knock(ctx, g) })
	select {
	case <-c.mended:
		env.Step(stepMend)
	case <-ctx.Done():
	}
	return g.Wait()
}

// room returns how many connections the queue holds where net.core.somaxconn reads like that.
func room(somaxconn []byte) int {
	limit, err := strconv.Atoi(strings.TrimSpace(string(somaxconn)))
	if err != nil {
		return Room
	}
	return min(limit+1, Room)
}

// fill connects one client more than the queue holds: the first is accepted, the others wait.
func (c *crowd) fill(ctx context.Context, g *errgroup.Group) error {
	limit, _ := os.ReadFile("/proc/sys/net/core/somaxconn") // where it is not there, there is no such limit
	all := 1 + room(limit)
	for i := range all {
		conn, err := c.dial(ctx, 0)
		if err != nil {
			return fmt.Errorf("connection %d of %d: %w", i+1, all, err)
		}
		accepted := make(chan struct{})
		g.Go(func() error { return c.await(ctx, conn, accepted) })
		if i > 0 {
			continue
		}
		select {
		case <-accepted: // the queue is empty, and the acceptor at work
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// knock lets further clients come, one every 10 ms.
func (c *crowd) knock(ctx context.Context, g *errgroup.Group) error {
	for i := range Knocking {
		patience := time.Duration(0)
		if i < Impatient {
			patience = Patience
		}
		g.Go(func() error {
			conn, err := c.dial(ctx, patience)
			var failed net.Error
			if patience > 0 && errors.As(err, &failed) && failed.Timeout() {
				return nil // as it should be
			}
			if err != nil {
				return fmt.Errorf("client %d at the full queue: %w", i+1, err)
			}
			return c.await(ctx, conn, make(chan struct{}))
		})
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// dial connects. Patience 0 has no end.
func (c *crowd) dial(ctx context.Context, patience time.Duration) (net.Conn, error) {
	d := net.Dialer{Timeout: patience}
	conn, err := d.DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, conn)
	return conn, nil
}

// await reads what the server says: that it has accepted, and that it is done.
func (c *crowd) await(ctx context.Context, conn net.Conn, accepted chan<- struct{}) error {
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now()) })()
	in := bufio.NewReader(conn)
	word, err := in.ReadString('\n')
	if err != nil {
		return fmt.Errorf("wait to be accepted: %w", err)
	}
	close(accepted)
	if word == saidHand {
		c.once.Do(func() { close(c.mended) })
	}
	if word, err = in.ReadString('\n'); err != nil || word != saidDone {
		return fmt.Errorf("wait for the work: %q: %w", word, err)
	}
	return nil
}

// leave closes all connections.
func (c *crowd) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
}
