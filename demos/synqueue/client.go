// SPDX-License-Identifier: Apache-2.0

package synqueue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"beltrace/demos/demo"
)

// settings are those of the demo's namespace. The first one alone would refuse when a quarter of it is left.
var settings = [][2]string{{"tcp_max_syn_backlog", "128"}, {"tcp_syncookies", "0"}}

// drive fills the SYN queue, comes as an honest client without and with cookies, and lets the deaf ones go.
func drive(ctx context.Context, env *demo.Env) error {
	at, err := netip.ParseAddrPort(env.Addr)
	if err != nil {
		return err
	}
	for _, s := range settings {
		if err := env.Sysctl(s[0], s[1]); err != nil {
			return err
		}
	}
	env.Step(stepFull)
	var crowd []io.Closer
	defer func() { dismiss(crowd) }()
	for i := range Deaf {
		c, err := dialDeaf(at)
		if err != nil {
			return fmt.Errorf("deaf client %d of %d: %w", i+1, Deaf, err)
		}
		crowd = append(crowd, c)
	}
	if err := come(ctx, env.Addr, patience); err != nil && !timedOut(err) {
		return fmt.Errorf("client without cookies: %w", err)
	}
	if !sleep(ctx, look) {
		return ctx.Err()
	}
	if err := env.Sysctl("tcp_syncookies", "1"); err != nil {
		return err
	}
	env.Step(stepCookies)
	for i := range Honest {
		if err := come(ctx, env.Addr, 0); err != nil {
			return fmt.Errorf("client %d of %d with cookies: %w", i+1, Honest, err)
		}
	}
	if !sleep(ctx, look) {
		return ctx.Err()
	}
	env.Step(stepGone)
	dismiss(crowd)
	crowd = nil
	return awaitEmpty(ctx, env, at.Port())
}

func dismiss(crowd []io.Closer) {
	for _, c := range crowd {
		c.Close()
	}
}

// come connects and waits for the greeting. Patience 0 has no end.
func come(ctx context.Context, addr string, patience time.Duration) error {
	d := net.Dialer{Timeout: patience}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })()
	got, err := io.ReadAll(io.LimitReader(c, 64))
	if err == nil && string(got) != greeting {
		err = fmt.Errorf("the server says %q", got)
	}
	return err
}

func timedOut(err error) bool {
	var failed net.Error
	return errors.As(err, &failed) && failed.Timeout()
}

// awaitEmpty waits until the SYN queue holds nobody, as the kernel lists its half-open requests, and a sample longer.
func awaitEmpty(ctx context.Context, env *demo.Env, port uint16) error {
	began := demo.Now()
	for deadline := time.Now().Add(leaving); time.Now().Before(deadline); {
		if !sleep(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
		if halfOpen(port) == 0 {
			env.Note("empty_after_ns", float64(demo.Now()-began))
			break
		}
	}
	if !sleep(ctx, look) {
		return ctx.Err()
	}
	return nil
}

// halfOpen returns how many requests the kernel's tables list for a local port; one that is not there lists none.
func halfOpen(port uint16) int {
	const synReceived = "03"
	n := 0
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		table, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(table)) {
			f := strings.Fields(line) // number, local, remote, state …
			if len(f) > 3 && f[3] == synReceived && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				n++
			}
		}
	}
	return n
}

// sleep waits for d and reports whether ctx is still on.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
