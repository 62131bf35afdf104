//! Where a fact happened.

use super::Fact;

impl Fact {
    /// The place that it is about.
    pub fn node(&self) -> Option<&str> {
        match self {
            Fact::ContactDecided { node, .. }
            | Fact::AssuranceDecided { node, .. }
            | Fact::SignalFound { node, .. }
            | Fact::RiskDecided { node, .. }
            | Fact::LinkIssued { node, .. }
            | Fact::Intended { node, .. }
            | Fact::Done { node, .. }
            | Fact::Postponed { node, .. }
            | Fact::Unclear { node, .. }
            | Fact::NeedsPerson { node, .. }
            | Fact::Halted { node, .. }
            | Fact::WaitBegan { node, .. }
            | Fact::WaitEnded { node, .. }
            | Fact::CodeWrong { node, .. }
            | Fact::AssertionIssued { node, .. }
            | Fact::Disclosed { node, .. }
            | Fact::Offered { node, .. }
            | Fact::Answered { node, .. }
            | Fact::Authorized { node, .. }
            | Fact::CardCaptured { node, .. }
            | Fact::CardForgotten { node, .. }
            | Fact::QuestionAsked { node, .. }
            | Fact::QuestionAnswered { node, .. }
            | Fact::ApprovalAsked { node, .. }
            | Fact::ApprovalDecided { node, .. }
            | Fact::UndoFailed { node, .. }
            | Fact::Forked { node, .. }
            | Fact::Joined { node, .. }
            | Fact::MethodKept { node, .. }
            | Fact::Remembered { node, .. }
            | Fact::Noted { node, .. }
            | Fact::ConditionDecided { node, .. } => Some(node),
            _ => None,
        }
    }
}
