// SPDX-License-Identifier: Apache-2.0

package socketbuffers

import (
	"context"
	"fmt"

	"beltrace/demos/demo"
	"beltrace/internal/unix"
)

// drive fetches the large answer at once, then late, then late again while another client asks for something small.
func drive(ctx context.Context, env *demo.Env) error {
	env.Step(stepQuick)
	if err := fetch(ctx, env, "quick", nil); err != nil {
		return fmt.Errorf("a quick reader: %w", err)
	}
	env.Step(stepSlow)
	sleep := func() error { return demo.Pause(ctx, Asleep) }
	if err := fetch(ctx, env, "slow", sleep); err != nil {
		return fmt.Errorf("a slow reader: %w", err)
	}
	env.Step(stepOther)
	meanwhile := func() error {
		if err := others(ctx, env); err != nil {
			return fmt.Errorf("another client: %w", err)
		}
		return sleep()
	}
	if err := fetch(ctx, env, "with_another", meanwhile); err != nil {
		return fmt.Errorf("a slow reader and another: %w", err)
	}
	return nil
}

// fetch asks for the large answer, does something else first, and then reads it. A client that is slow has a small receive
// buffer, and the kernel does not enlarge one that was asked for.
func fetch(ctx context.Context, env *demo.Env, name string, first func() error) error {
	var small func(int) error
	if first != nil {
		small = func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, Window) }
	}
	c, err := demo.Call(ctx, env, small)
	if err != nil {
		return err
	}
	defer c.Close()
	begin := demo.Now()
	if err := c.Ask(pathLarge, ""); err != nil {
		return err
	}
	if first != nil {
		if err := first(); err != nil {
			return err
		}
	}
	n, err := c.Answer()
	if err != nil {
		return err
	}
	if n != Size {
		return fmt.Errorf("%d bytes, not %d", n, Size)
	}
	env.Note(name+"_total_ns", float64(demo.Now()-begin))
	return nil
}

// others asks for something small on a connection of its own.
func others(ctx context.Context, env *demo.Env) error {
	c, err := demo.Call(ctx, env, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	for range Others {
		if err := c.Get(pathSmall); err != nil {
			return err
		}
	}
	return nil
}
