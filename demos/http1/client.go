// SPDX-License-Identifier: Apache-2.0

package http1

import (
	"context"
	"fmt"
	"io"
	"strings"

	"beltrace/demos/demo"
)

// drive uses a connection of its own for each step.
func drive(ctx context.Context, env *demo.Env) error {
	for step, talk := range []func(*demo.Env, *demo.Caller) error{stepKeepAlive: keepAlive, stepPipelining: pipeline, stepChunked: chunked} {
		env.Step(step)
		c, err := demo.Call(ctx, env, nil)
		if err == nil {
			err = talk(env, c)
			c.Close()
		}
		if err != nil {
			return fmt.Errorf("step %d: %w", step+1, err)
		}
	}
	return nil
}

// keepAlive asks again when it has the answer.
func keepAlive(_ *demo.Env, c *demo.Caller) error {
	for i := range Kept {
		if err := c.Get(fmt.Sprintf("/items/%d", i+1)); err != nil {
			return err
		}
	}
	return nil
}

// pipeline asks everything at once, and then reads the answers.
func pipeline(env *demo.Env, c *demo.Caller) error {
	var all strings.Builder
	for i := range Pipelined {
		all.WriteString(demo.Request(fmt.Sprintf("/slow/%d", i+1), ""))
	}
	begin := demo.Now()
	if _, err := io.WriteString(c.Conn, all.String()); err != nil {
		return err
	}
	for i := range Pipelined {
		if _, err := c.Answer(); err != nil {
			return err
		}
		if i == 0 {
			env.Note("first_answer_ns", float64(demo.Now()-begin))
		}
	}
	env.Note("last_answer_ns", float64(demo.Now()-begin))
	return nil
}

// chunked reads the answer of unknown length, and asks again on the same connection.
func chunked(_ *demo.Env, c *demo.Caller) error {
	if err := c.Get("/report"); err != nil {
		return err
	}
	return c.Get("/items/1")
}
