%% Measures Erlang/OTP: gen_servers under simple_one_for_one supervisors, with the logger off.
%% erlc supervision_peer.erl, then: erl -noshell -s supervision_peer main KIND COUNT ROUNDS.
%% Prints one number.
-module(supervision_peer).
-behaviour(gen_server).
-export([main/1, start_link/1, start_supervisor/0]).
-export([init/1, handle_call/3, handle_cast/2]).

%% memory: bytes of resident memory per idle child.
%% restarts: restarts per second of CPU, all children crash at once.
main([Kind, Count, Rounds]) ->
    logger:set_primary_config(level, none),
    io:format("~p~n", [measure(Kind, number(Count), number(Rounds))]),
    halt().

number(Atom) -> list_to_integer(atom_to_list(Atom)).

measure(memory, Count, _) ->
    erlang:garbage_collect(),
    Before = resident(),
    {ok, Supervisor} = start_supervisor(),
    unlink(Supervisor),
    _ = children(Supervisor, Count),
    (resident() - Before) / Count;
measure(restarts, Count, Rounds) ->
    %% Ten children each: OTP keeps the restarts of a period in a list, so one supervisor of all is quadratic.
    Supervisors = [begin {ok, S} = start_supervisor(), unlink(S), _ = children(S, 10), S end
                   || _ <- lists:seq(1, Count div 10)],
    {Began, _} = erlang:statistics(runtime), % ms of CPU, all threads
    [crash_all(Supervisors) || _ <- lists:seq(1, Rounds)],
    [supervisor:count_children(S) || S <- Supervisors],
    {Ended, _} = erlang:statistics(runtime),
    Rounds * Count / ((Ended - Began) / 1000).

children(Supervisor, Count) ->
    [begin {ok, Pid} = supervisor:start_child(Supervisor, [N]), Pid end || N <- lists:seq(1, Count)].

crash_all(Supervisors) ->
    Pids = [Pid || S <- Supervisors, {_, Pid, _, _} <- supervisor:which_children(S), is_pid(Pid)],
    Monitors = [monitor(process, Pid) || Pid <- Pids],
    [gen_server:cast(Pid, crash) || Pid <- Pids],
    [receive {'DOWN', Monitor, _, _, _} -> ok end || Monitor <- Monitors].

resident() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = string:split(Text, " ", all),
    binary_to_integer(Pages) * 4096.

start_link(Argument) -> gen_server:start_link(?MODULE, Argument, []).
start_supervisor() -> supervisor:start_link(?MODULE, supervisor).

init(supervisor) ->
    Child = #{id => child, start => {?MODULE, start_link, []}, restart => permanent},
    {ok, {#{strategy => simple_one_for_one, intensity => 100000000, period => 1}, [Child]}};
init(State) -> {ok, State}.

handle_call(_, _, State) -> {reply, ok, State}.
handle_cast(crash, _) -> exit(crash).
