// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"fmt"
	"net"

	"beltrace/internal/unix"
)

// AcceptAll accepts connections and hands each to take, until ctx is done, which is no error, or take fails. It closes the
// listener. Connections belong to take, which runs on the calling goroutine: nobody is accepted meanwhile.
func AcceptAll(ctx context.Context, ln *net.TCPListener, take func(*net.TCPConn) error) error {
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
		if err := take(c); err != nil {
			return err
		}
	}
}
