// Calls a running gateway through the client that was generated from its OpenAPI document.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"clients/api"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func text(value string) *string { return &value }

func main() {
	ctx := context.Background()
	key := func(_ context.Context, request *http.Request) error {
		request.Header.Set("X-Api-Key", os.Args[2])
		return nil
	}
	client, err := api.NewClientWithResponses(os.Args[1], api.WithRequestEditorFn(key))
	must(err)
	accounts, err := client.ListAccountsWithResponse(ctx, nil)
	must(err)
	account := accounts.JSON200.Data[0]

	var body api.WebhookEndpointCreateRequest
	must(json.Unmarshal([]byte(`{"url": "https://127.0.0.1/hook", "status": "inactive",
		"subscribed_events": ["message.received", "provider.event"], "delivery": {"timeout": "5s"}}`), &body))
	endpoint, err := client.CreateWebhookEndpointWithResponse(ctx, nil, body)
	must(err)
	removed, err := client.DeleteWebhookEndpointWithResponse(ctx, endpoint.JSON201.Data.Id, nil)
	must(err)

	send := func(to string) *api.SendMessageResponse {
		order := api.SendMessageRequest{AccountId: account.Id}
		order.To = api.Recipient{Id: to, Type: "user"}
		order.Message = api.MessagePayload{Type: "text", Text: text("hello")}
		answer, err := client.SendMessageWithResponse(ctx, nil, order)
		must(err)
		return answer
	}
	command, err := client.GetCommandWithResponse(ctx, send("7").JSON200.Data.CommandId, nil)
	must(err)
	refused := send("999").JSON404.Error
	events, err := client.ListEventsWithResponse(ctx, &api.ListEventsParams{Type: text("message.received")})
	must(err)
	item, err := json.Marshal(events.JSON200.Data.Items[0])
	must(err)
	var event api.MessageReceivedEvent
	must(json.Unmarshal(item, &event))

	must(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"provider": account.Provider,
		"metadata": account.Metadata,
		"removed":  removed.StatusCode(),
		"outcome":  command.JSON200.Data.Outcome,
		"code":     refused.Code,
		"reason":   refused.Reason,
		"said":     refused.Provider.Message,
		"event":    event.Data.Message.Text,
	}))
}
