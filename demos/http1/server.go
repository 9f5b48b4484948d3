// SPDX-License-Identifier: Apache-2.0

package http1

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"beltrace/demos/demo"
)

// serve is an ordinary net/http server.
func serve(ctx context.Context, env *demo.Env) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /items/{id}", item)
	mux.HandleFunc("GET /slow/{id}", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(Work)
		item(w, r)
	})
	mux.HandleFunc("GET /report", report)
	return demo.ServeHTTP(ctx, env, mux, nil)
}

// item answers with a few bytes, and says beforehand how many.
func item(w http.ResponseWriter, r *http.Request) {
	demo.Bare(w.Header())
	fmt.Fprint(w, "item "+r.PathValue("id"))
}

// report writes an answer while it is made: its length is not known when it begins.
func report(w http.ResponseWriter, _ *http.Request) {
	demo.Bare(w.Header())
	out := http.NewResponseController(w)
	for i := range Pieces {
		if i > 0 {
			time.Sleep(Gap)
		}
		fmt.Fprintf(w, "line %d\n", i)
		if out.Flush() != nil {
			return // the client is gone
		}
	}
}
