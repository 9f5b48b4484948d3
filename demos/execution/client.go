// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"beltrace/demos/demo"
)

// drive is the client of every model: a pair of clients, of which the first one is slow, a crowd, and nobody.
func drive(ctx context.Context, env *demo.Env) error {
	env.Step(stepPair)
	if err := pair(ctx, env); err != nil {
		return fmt.Errorf("a pair of clients: %w", err)
	}
	env.Step(stepCrowd)
	if err := crowd(ctx, env); err != nil {
		return fmt.Errorf("a crowd of clients: %w", err)
	}
	env.Step(stepThreads) // nobody comes any more: time to look at the threads
	return nil
}

// pair lets a client come while another one is connected and goes on asking: it asks until the second one is answered, but
// not for ever.
func pair(ctx context.Context, env *demo.Env) error {
	first, err := dial(ctx, env.Addr)
	if err != nil {
		return err
	}
	defer first.Close()
	if err := first.Get(pathFast); err != nil { // so it is accepted
		return err
	}
	answered := make(chan struct{})
	var g errgroup.Group
	g.Go(func() error {
		defer close(answered)
		second, err := dial(ctx, env.Addr)
		if err != nil {
			return err
		}
		defer second.Close()
		return second.Get(pathFast)
	})
	for n, waits := 0, true; n < Patience && waits && err == nil; n++ {
		err = first.Get(pathWait)
		select {
		case <-answered:
			waits = false
		default:
		}
	}
	first.Close()
	if other := g.Wait(); err == nil {
		err = other
	}
	return err
}

// crowd lets many clients come at once. Each asks for everything, several times.
func crowd(ctx context.Context, env *demo.Env) error {
	g, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	var times []int64
	begin := demo.Now()
	for range Crowd {
		g.Go(func() error {
			took, err := visit(ctx, env.Addr)
			mu.Lock()
			defer mu.Unlock()
			times = append(times, took...)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	env.Note(noteTotal, float64(demo.Now()-begin))
	env.Note(noteP50, float64(demo.Median(times)))
	env.Note(noteP99, float64(demo.Quantile(times, 0.99)))
	return nil
}

// visit is one of the crowd. It returns how long its requests took.
func visit(ctx context.Context, addr string) ([]int64, error) {
	begin := demo.Now()
	c, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var times []int64
	for range Rounds {
		for _, path := range []string{pathFast, pathCPU, pathWait} {
			if err := c.Get(path); err != nil {
				return times, err
			}
			now := demo.Now()
			times, begin = append(times, now-begin), now
		}
	}
	return times, nil
}

// caller is a client with one connection.
type caller struct {
	net.Conn
	in   *bufio.Reader
	stop func() bool
}

func dial(ctx context.Context, addr string) (*caller, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })
	return &caller{c, bufio.NewReader(c), stop}, nil
}

// Get asks and reads the answer to its end.
func (c *caller) Get(path string) error {
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, c.RemoteAddr()); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return fmt.Errorf("answer to %s: %w", path, err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("answer to %s: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answer to %s: %s", path, resp.Status)
	}
	return nil
}

// Close leaves. It may be called twice.
func (c *caller) Close() error {
	c.stop()
	return c.Conn.Close()
}
