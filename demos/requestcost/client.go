// SPDX-License-Identifier: Apache-2.0

package requestcost

import (
	"context"
	"fmt"
	"io"
	"strings"

	"beltrace/demos/demo"
)

// drive makes the same requests in three ways, on a connection each. Go sets TCP_NODELAY: each write is a segment.
func drive(ctx context.Context, env *demo.Env) error {
	for step, send := range []func(context.Context, *demo.Caller) error{stepOnePiece: whole, stepPieces: inPieces, stepLarge: large} {
		env.Step(step)
		if err := ask(ctx, env, step, send); err != nil {
			return fmt.Errorf("step %d: %w", step+1, err)
		}
	}
	return nil
}

func ask(ctx context.Context, env *demo.Env, step int, send func(context.Context, *demo.Caller) error) error {
	c, err := demo.Call(ctx, env, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	var times []int64
	for range Requests {
		begin := demo.Now()
		if err := send(ctx, c); err != nil {
			return err
		}
		if _, err := c.Answer(); err != nil {
			return err
		}
		times = append(times, demo.Now()-begin)
	}
	env.Note(fmt.Sprintf("step%d_request_p50_ns", step), float64(demo.Median(times)))
	return nil
}

const path = "/cost"

func whole(_ context.Context, c *demo.Caller) error { return c.Ask(path, "Accept: */*\r\n") }

// inPieces is a client that writes without a buffer.
func inPieces(ctx context.Context, c *demo.Caller) error {
	all := demo.Request(path, "Accept: */*\r\n")
	for i := range Pieces {
		if i > 0 {
			if err := demo.Pause(ctx, Gap); err != nil {
				return err
			}
		}
		if _, err := io.WriteString(c.Conn, all[i*len(all)/Pieces:(i+1)*len(all)/Pieces]); err != nil {
			return err
		}
	}
	return nil
}

// large has cookies, traces and tokens, as requests behind many proxies do.
func large(_ context.Context, c *demo.Caller) error {
	var header strings.Builder
	for i := range Lines {
		name := fmt.Sprintf("X-Line-%d: ", i)
		header.WriteString(name + strings.Repeat("x", LineLength-len(name)-2) + "\r\n")
	}
	return c.Ask(path, header.String())
}
