// SPDX-License-Identifier: Apache-2.0

package synqueue

import (
	"context"
	"io"
	"net"

	"beltrace/demos/demo"
)

// serve accepts at once whoever there is, and greets: its application is never what anybody waits for.
func serve(ctx context.Context, env *demo.Env) error {
	ln, err := env.Listen(ctx, Backlog)
	if err != nil {
		return err
	}
	return demo.AcceptAll(ctx, ln, func(c *net.TCPConn) error {
		greet(env, c)
		return nil
	})
}

func greet(env *demo.Env, c *net.TCPConn) {
	defer c.Close()
	if _, err := io.WriteString(c, greeting); err != nil {
		env.Log.Printf("greet %s: %v", c.RemoteAddr(), err)
	}
}
