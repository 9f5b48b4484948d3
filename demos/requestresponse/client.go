// SPDX-License-Identifier: Apache-2.0

package requestresponse

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"beltrace/demos/demo"
	"beltrace/internal/unix"
)

// drive makes the same requests without and with keep-alive, one way after the other, and then in turns.
func drive(ctx context.Context, env *demo.Env) error {
	env.Step(stepClose)
	if err := ask(ctx, env, "close", newUser(env, true)); err != nil {
		return err
	}
	env.Step(stepKeepAlive)
	if err := ask(ctx, env, "keep_alive", newUser(env, false)); err != nil {
		return err
	}
	env.Step(stepCost)
	return takeTurns(ctx, env, newUser(env, true), newUser(env, false))
}

// user is an HTTP client with a watch and its own connections.
type user struct {
	http  http.Client
	addr  string
	times []int64 // of its requests, ns
	cpu   int64   // that they took, ns
}

func newUser(env *demo.Env, closeEach bool) *user {
	return &user{http: http.Client{Transport: &http.Transport{DisableKeepAlives: closeEach}}, addr: env.Addr}
}

// ask makes one request.
func (u *user) ask(ctx context.Context, id int) error {
	cpu, start := cpuTime(), demo.Now()
	if err := get(ctx, &u.http, fmt.Sprintf("http://%s/orders/%d", u.addr, id), id); err != nil {
		return fmt.Errorf("request %d: %w", id, err)
	}
	u.times, u.cpu = append(u.times, demo.Now()-start), u.cpu+cpuTime()-cpu
	return nil
}

// ask makes all requests in one way.
func ask(ctx context.Context, env *demo.Env, way string, u *user) error {
	defer u.http.CloseIdleConnections()
	begin := demo.Now()
	for id := range Requests {
		if err := u.ask(ctx, id); err != nil {
			return fmt.Errorf("%s: %w", way, err)
		}
	}
	env.Note(way+"_total_ns", float64(demo.Now()-begin))
	return nil
}

// takeTurns makes requests in both ways alternately, so that whatever else the machine does touches both alike. The
// number of a request tells how it came: see newID and keptID.
func takeTurns(ctx context.Context, env *demo.Env, fresh, kept *user) error {
	defer kept.http.CloseIdleConnections()
	for i := range Requests {
		if err := fresh.ask(ctx, newID(i)); err != nil {
			return err
		}
		if err := kept.ask(ctx, keptID(i)); err != nil {
			return err
		}
	}
	for way, u := range map[string]*user{"new": fresh, "kept": kept} {
		env.Note(way+"_request_p50_ns", float64(demo.Median(u.times)))
		env.Note(way+"_client_cpu_ns", float64(u.cpu/Requests))
	}
	return nil
}

// Even requests of the last step come on a connection of their own, odd ones on the one that is kept.
func newID(i int) int       { return 2 * i }
func keptID(i int) int      { return 2*i + 1 }
func isKept(id uint64) bool { return id%2 == 1 }

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
