// SPDX-License-Identifier: Apache-2.0

package nagle

import (
	"context"
	"fmt"

	"beltrace/demos/demo"
)

// drive asks for the same answer in the three ways, on a connection each.
func drive(ctx context.Context, env *demo.Env) error {
	for step, path := range paths {
		env.Step(step)
		if err := ask(ctx, env, step, path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func ask(ctx context.Context, env *demo.Env, step int, path string) error {
	c, err := demo.Call(ctx, env, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	var times []int64
	for range Requests {
		begin := demo.Now()
		if err := c.Get(path); err != nil {
			return err
		}
		times = append(times, demo.Now()-begin)
	}
	env.Note(fmt.Sprintf("step%d_request_p50_ns", step), float64(demo.Median(times)))
	return nil
}
