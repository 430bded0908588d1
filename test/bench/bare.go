package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// phoneOf is the phone of row i (from 1), a different one for each.
func phoneOf(i int) string { return fmt.Sprintf("319%08d", 80_000_000+i%20_000_000) }

// bareLoop makes the two calls of each message and nothing else. It returns how long they
// took.
func bareLoop(ctx context.Context, url string, rows, workers int) (time.Duration, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers, MaxIdleConns: workers}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	start := time.Now()
	for range workers {
		group.Go(func() error {
			for {
				i := int(next.Add(1))
				if i > rows {
					return nil
				}
				if err := bareMessage(ctx, client, url, i); err != nil {
					return err
				}
			}
		})
	}
	if err := group.Wait(); err != nil {
		return 0, fmt.Errorf("bare loop: %w", err)
	}
	return time.Since(start), nil
}

func bareMessage(ctx context.Context, client *http.Client, url string, i int) error {
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
	answer, err := barePost(ctx, client, url+"/commands",
		`{"id":"`+id+`","to":"postmaster@wa.gw.msging.net","method":"get","uri":"lime://wa.gw.msging.net/accounts/+55`+phoneOf(i)+`"}`)
	if err != nil {
		return err
	}
	var account struct {
		Resource struct{ AlternativeAccount string }
	}
	if err := json.Unmarshal(answer, &account); err != nil {
		return err
	}
	_, err = barePost(ctx, client, url+"/messages",
		`{"id":"`+id+`","to":"`+account.Resource.AlternativeAccount+`","type":"application/json","content":{"type":"template","template":{"name":"`+template+
			`","language":{"code":"pt_BR","policy":"deterministic"},"components":[{"type":"body","parameters":[{"type":"text","text":"Maria"},{"type":"text","text":"Sua consulta foi confirmada."}]}]}}}`)
	return err
}

func barePost(ctx context.Context, client *http.Client, url, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Key "+key)
	req.Header.Set("Content-Type", "application/json")
	return do(client, req)
}
