//! What every store does, as stories over the ports. A back end brings a [`support::Place`] and runs them all
//! with `stories::on_each!`; a story that is added here is added to the list at the end.

pub mod branches;
pub mod campaigns;
pub mod contacts;
pub mod house;
pub mod inbox;
pub mod journal;
pub mod leases;
pub mod log;
pub mod model;
pub mod moving;
pub mod noted;
pub mod operate;
pub mod prove;
pub mod risk;
pub mod safe;
pub mod schedules;
#[allow(dead_code, reason = "a store without SQL has no statements")]
pub mod statements;
pub mod support;
pub mod switches;

/// Makes a test of each story for one kind of place.
macro_rules! on_each {
    ($place:ty) => {
        $crate::stories::on_each!(@ $place, journal:
            a_record_reads_back_in_order,
            a_commit_happens_whole_or_not_at_all,
            a_record_has_no_gaps,
            an_old_author_is_told_so_after_a_turn_that_went_alone,
            one_conflict_does_not_undo_its_neighbours,
            of_many_authors_of_one_event_one_wins,
            tenants_do_not_meet,
            lists_show_the_newest_first,
            the_newest_event_is_known,
        );
        $crate::stories::on_each!(@ $place, leases:
            a_run_has_one_driver_at_a_time,
            who_was_left_behind_writes_nothing,
            a_lease_goes_back_with_the_commit_that_parks,
            what_a_node_was_doing_when_it_ended_is_found_again,
            mail_for_a_record_that_is_not_there_wakes_nobody,
        );
        $crate::stories::on_each!(@ $place, log:
            the_edge_is_the_root_over_the_leaves,
            two_stores_on_one_place_keep_one_log,
            who_wrote_alone_for_a_while_hears_of_another_who_wrote_too,
            many_turns_at_once_keep_all_their_values,
            opening_many_times_at_once_makes_one_store,
            the_oldest_checkpoint_that_covers_is_given,
            the_first_checkpoint_of_a_size_stays,
            the_records_behind_a_place_are_known,
        );
        $crate::stories::on_each!(@ $place, inbox:
            a_signal_counts_once_even_after_it_was_answered,
            signals_come_in_order_and_no_more_than_asked,
            a_run_takes_nothing_from_the_inbox_of_another,
            runs_come_due_by_time_and_by_mail,
            who_waits_longest_comes_first,
        );
        $crate::stories::on_each!(@ $place, safe:
            a_customer_is_replaced_field_by_field,
            what_was_decided_on_an_older_state_is_refused,
            a_customer_is_found_by_the_hash_of_a_number,
            a_customer_s_open_interactions_are_found,
            all_callers_get_the_first_data_key,
            a_record_is_opened_with_its_data_keys_or_not_at_all,
            a_card_goes_with_its_key_and_with_the_commit,
            definitions_are_kept_and_pointed_at,
            a_session_is_kept_and_its_use_noted,
        );

        $crate::stories::on_each!(@ $place, operate:
            a_paused_run_takes_in_mail_and_makes_no_effect,
            a_retry_that_is_due_waits_while_paused,
            a_cancelled_run_never_comes_back,
            a_retry_is_made_now_and_an_act_needs_a_reason,
            an_act_left_from_beside_is_taken_in_by_the_node,
            a_run_whose_driver_met_a_defect_is_driven_again,
            a_defect_that_stays_lets_a_run_rest_until_something_arrives,
            a_person_says_that_it_was_done_and_the_run_goes_on,
            a_person_says_that_it_was_not_done_and_it_counts_as_failed,
            what_may_have_happened_is_cleared_up_before_a_cancelled_run_ends,
        );
        $crate::stories::on_each!(@ $place, switches:
            what_is_stopped_waits_and_goes_on_when_it_is_lifted,
            what_is_outside_its_reach_goes_on,
            an_effect_in_the_air_is_awaited_and_named,
            a_node_that_has_not_heard_of_it_cannot_intend_behind_it,
            what_a_dead_node_left_in_the_air_is_said_to_be_unknown,
            mail_is_taken_in_and_nothing_is_disclosed,
            a_timer_that_runs_out_behind_it_sends_nothing,
            nothing_opens_while_its_workflow_is_stopped,
            a_switch_has_a_reason_a_name_that_exists_and_one_lifting,
            many_nodes_race_with_one_switch_and_none_is_behind_it,
            what_was_intended_before_it_is_stopped_right_before_it_leaves,
        );
        $crate::stories::on_each!(@ $place, branches:
            what_branches_intend_leaves_together,
            no_more_items_are_under_way_than_the_workflow_says,
            a_switch_that_is_lifted_frees_its_branch_and_no_other,
        );
        $crate::stories::on_each!(@ $place, campaigns:
            each_customer_is_opened_once_by_whatever_node_and_however_often_it_is_started,
            a_pace_is_one_over_all_nodes,
            whom_a_dead_node_took_up_is_taken_up_again,
            a_paused_campaign_takes_nobody_up_and_a_stopped_one_never_again,
            a_condition_lists_those_for_whom_it_holds,
            a_kill_switch_holds_a_campaign_until_it_is_lifted,
            a_campaign_is_over_when_everybody_came_to_an_end,
        );
        $crate::stories::on_each!(@ $place, schedules:
            of_two_nodes_one_begins_at_each_time,
            what_came_while_nobody_was_there_is_made_up_for_as_it_says,
            what_comes_while_the_one_before_goes_on_is_skipped_or_waits,
            what_is_paused_or_killed_begins_nothing_and_then_does_as_missed_says,
            what_a_node_decided_before_it_died_begins_on_another,
        );
        $crate::stories::on_each!(@ $place, risk:
            a_later_try_by_another_channel_inherits_the_risk_until_it_ends,
            who_failed_to_prove_it_lately_proves_it_before_anything_is_shown,
            a_risk_that_is_found_meanwhile_is_weighed_too,
            an_import_takes_no_risk_back,
        );
        $crate::stories::on_each!(@ $place, moving:
            a_moved_run_goes_on_where_it_stands_and_keeps_what_it_has,
            evidence_of_a_move_holds_both_definitions_before_anything_else_happened,
            a_run_is_not_moved_where_its_way_is_none_of_the_newer_one_s,
            nothing_is_moved_while_an_effect_is_under_way,
            a_move_is_asked_for_with_a_reason_and_a_definition_that_is_there,
            a_move_outlives_the_node_that_was_told_and_is_made_once,
        );
        $crate::stories::on_each!(@ $place, prove:
            nothing_left_behind_a_switch_and_the_last_before_it_is_named,
            what_was_under_way_is_told_with_what_became_of_it,
            an_effect_of_which_nobody_knows_is_a_doubt,
            it_ends_where_the_switch_was_lifted,
            an_intent_behind_it_is_found_whatever_its_epoch,
            a_disclosure_behind_a_stopped_workflow_is_found,
            another_tenant_s_places_are_closed_and_stand_against_it,
            an_unsettled_switch_proves_nothing_and_an_unknown_one_is_refused,
        );
        $crate::stories::on_each!(@ $place, noted:
            nothing_is_lost_of_what_many_runs_write_down_at_once,
            a_flag_holds_over_imports_until_somebody_takes_it_off_with_a_reason,
        );
        $crate::stories::on_each!(@ $place, contacts:
            a_store_counts_as_a_rule_does,
            a_contact_counts_once_and_not_at_all_when_it_is_taken_back,
            of_two_messages_on_one_count_the_second_is_refused,
            conversations_of_one_customer_at_once_all_count,
        );

        #[test]
        fn any_story_leaves_what_the_model_says() {
            $crate::stories::model::any_story_leaves_what_the_model_says::<$place>();
        }
    };
    (@ $place:ty, $file:ident: $($story:ident,)+) => {
        mod $file {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    use $crate::stories::support::Place;
                    $crate::stories::$file::$story(<$place>::fresh().await).await;
                }
            )+
        }
    };
}
pub(crate) use on_each;
