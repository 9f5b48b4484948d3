// SPDX-License-Identifier: Apache-2.0

package synqueue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/sys/unix"

	"beltrace/demos/demo"
)

// serve accepts at once whoever there is, and greets: its application is never what anybody waits for.
func serve(ctx context.Context, env *demo.Env) error {
	ln, err := env.Listen(ctx, Backlog)
	if err != nil {
		return err
	}
	defer ln.Close()
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	for {
		c, err := ln.AcceptTCP()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case errors.Is(err, unix.ECONNABORTED):
			continue
		case err != nil:
			return fmt.Errorf("accept on %s: %w", ln.Addr(), err)
		}
		greet(env, c)
	}
}

func greet(env *demo.Env, c *net.TCPConn) {
	defer c.Close()
	if _, err := io.WriteString(c, greeting); err != nil {
		env.Log.Printf("greet %s: %v", c.RemoteAddr(), err)
	}
}
