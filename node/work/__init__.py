"""What the node does by itself: judge studies, plan jobs, analyse."""
