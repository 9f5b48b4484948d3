// SPDX-License-Identifier: Apache-2.0

package requestresponse

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"golang.org/x/sys/unix"

	"beltrace/demos/demo"
)

// drive makes the same requests without and with keep-alive, one after the other.
func drive(ctx context.Context, env *demo.Env) error {
	env.Step(stepClose)
	if err := ask(ctx, env, "close", true); err != nil {
		return err
	}
	env.Step(stepKeepAlive)
	if err := ask(ctx, env, "keep_alive", false); err != nil {
		return err
	}
	env.Step(stepCost)
	return nil
}

// ask makes the requests and notes what they cost by the client's own clock.
func ask(ctx context.Context, env *demo.Env, way string, closeEach bool) error {
	transport := &http.Transport{DisableKeepAlives: closeEach}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	times, cpu, begin := make([]int64, 0, Requests), cpuTime(), demo.Now()
	for id := range Requests {
		start := demo.Now()
		if err := get(ctx, client, fmt.Sprintf("http://%s/orders/%d", env.Addr, id), id); err != nil {
			return fmt.Errorf("request %d of %d, %s: %w", id+1, Requests, way, err)
		}
		times = append(times, demo.Now()-start)
	}
	env.Note(way+"_total_ns", float64(demo.Now()-begin))
	env.Note(way+"_request_p50_ns", float64(demo.Median(times)))
	env.Note(way+"_client_cpu_ns", float64((cpuTime()-cpu)/Requests))
	env.Note(way+"_requests", float64(len(times)))
	return nil
}

// get makes one request and reads the answer to its end: only then can the connection be used again.
func get(ctx context.Context, client *http.Client, url string, id int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answer %s", resp.Status)
	}
	var got order
	body := json.NewDecoder(resp.Body)
	if err := body.Decode(&got); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if body.More() || got.ID != id {
		return fmt.Errorf("answer is about order %d, not %d", got.ID, id)
	}
	return nil
}

// cpuTime returns the CPU time that this process has used, user and kernel, in ns.
func cpuTime() int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0 // cannot fail for RUSAGE_SELF
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
