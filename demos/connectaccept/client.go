// SPDX-License-Identifier: Apache-2.0

package connectaccept

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"beltrace/demos/demo"
)

// drive opens all connections, then waits for the server to answer on each.
func drive(ctx context.Context, env *demo.Env) error {
	env.Step(stepConnect)
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	var dialer net.Dialer
	for i := range Connections {
		before := demo.Now()
		c, err := dialer.DialContext(ctx, "tcp", env.Addr)
		if err != nil {
			return fmt.Errorf("connection %d of %d: %w", i+1, Connections, err)
		}
		after, here := demo.Now(), c.LocalAddr().String()
		env.Note(connectNote(here), float64(before))
		env.Note(connectedNote(here), float64(after))
		conns = append(conns, c)
	}
	env.Step(stepWait)
	for i, c := range conns {
		if err := listenTo(ctx, c); err != nil {
			return fmt.Errorf("answer on connection %d of %d: %w", i+1, Connections, err)
		}
		if i == 0 {
			env.Step(stepAccept)
		}
	}
	return nil
}

// listenTo reads the server's answer to its end.
func listenTo(ctx context.Context, c net.Conn) error {
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })
	defer stop()
	got, err := io.ReadAll(io.LimitReader(c, 64))
	if err == nil && string(got) != "hello\n" {
		err = fmt.Errorf("%q", got)
	}
	return err
}
